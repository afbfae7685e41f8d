import { matches } from './name-pattern.js';

/** VINs by the name of the robot that the vehicle records as. */
export type Vins = Readonly<Record<string, string>>;

/** ISO 3779: 17 capital letters and digits, without I, O and Q. */
export const VIN = /^[A-HJ-NPR-Z0-9]{17}$/;
export const VIN_TEXT = '17 capital letters and digits without I, O and Q (ISO 3779)';

export const VIN_FORM = `[ROBOT=]VIN, with a VIN of ${VIN_TEXT}`;

/** Maximum number of vehicles whose VIN the parameters of one recorder name. */
export const VINS_MAX = 1_000;

/** Key of the VIN in the metadata of a channel. */
export const VIN_KEY = 'vin';

/** Whether a text has the form of a vehicle identification number. Check digits differ by country: none is checked. */
export function isVin(text: string): boolean {
  return VIN.test(text);
}

/** A VIN of the parameters; without a robot it is that of the recorder's own. */
export interface VinSpec {
  readonly robot?: string;
  readonly vin: string;
}

/** Parses `[ROBOT=]VIN`; undefined if it is not of that form. */
export function parseVinSpec(text: string): VinSpec | undefined {
  const at = text.lastIndexOf('=');
  const [robot, vin] = [text.slice(0, Math.max(at, 0)).trim(), text.slice(at + 1).trim()];
  if (!isVin(vin) || (at >= 0 && robot === '')) return undefined;
  return at < 0 ? { vin } : { robot, vin };
}

/**
 * True if one of the patterns matches the name (`*` stands for any text) or is the VIN, or if there is no list.
 *
 * @param vin - Of the recording, by its manifest; undefined: it has none.
 */
export function matchesRobot(
  patterns: readonly string[] | undefined,
  robot: string,
  vin: string | undefined,
): boolean {
  return matches(patterns, robot) || (vin !== undefined && patterns?.includes(vin) === true);
}

/** The VIN of a robot; undefined: none is known. */
export function vinOf(vins: Vins, robot: string): string | undefined {
  return Object.hasOwn(vins, robot) ? vins[robot] : undefined;
}
