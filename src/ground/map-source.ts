import { HoldfastError } from '../core/errors.js';

/** A server of map tiles, for the pages. */
export interface MapSource {
  /** With `{z}`, `{x}` and `{y}`. */
  readonly url: string;
  /** What its licence wants to be shown; empty: nothing. */
  readonly attribution: string;
}

const ATTRIBUTION_MAX_CHARS = 200;

/** Throws `REQUEST_INVALID` with what is allowed. */
export function parseMapSource(url: string, attribution: string): MapSource {
  const hasAll = ['{z}', '{x}', '{y}'].every((part) => url.split(part).length === 2);
  if (!hasAll || !/^https?:\/\//.test(url) || originOf(url) === undefined)
    throw new HoldfastError(
      'REQUEST_INVALID',
      `--tiles is "${url.slice(0, 80)}", allowed: http(s)://host/path with {z}, {x} and {y} once each`,
    );
  if (attribution.length > ATTRIBUTION_MAX_CHARS)
    throw new HoldfastError(
      'REQUEST_INVALID',
      `--tiles-attribution has ${attribution.length} characters, allowed: ${ATTRIBUTION_MAX_CHARS}`,
    );
  return { url, attribution };
}

/** For the content security policy. Undefined: it is no address, or the host is not fixed. */
export function originOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { host, origin } = new URL(url);
  return /[{};,\s%]/.test(host) ? undefined : origin;
}
