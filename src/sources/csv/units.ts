/** A measured quantity; every quantity is kept in its first unit. */
export const quantities = {
  length: { m: unit(1, 'm'), km: unit(1_000, 'km'), mi: unit(1_609.344, 'mi'), ft: unit(0.3048, 'ft') },
  speed: {
    'm/s': unit(1, 'm_s', 'mps'),
    'km/h': unit(1 / 3.6, 'kmh', 'kph', 'km_h'),
    mph: unit(0.44704, 'mph'),
    kn: unit(1_852 / 3_600, 'kn'),
  },
  angle: { rad: unit(1, 'rad'), deg: unit(Math.PI / 180, 'deg') },
  degrees: { deg: unit(1, 'deg'), rad: unit(180 / Math.PI, 'rad') },
  turn_rate: { 'rad/s': unit(1, 'rad_s'), 'deg/s': unit(Math.PI / 180, 'deg_s') },
  acceleration: { 'm/s2': unit(1, 'm_s2'), g: unit(9.80665, 'g') },
  temperature: {
    '°C': unit(1, 'c', 'degc'),
    '°F': { scale: 5 / 9, offset: -160 / 9, suffixes: ['f', 'degf'] },
    K: { scale: 1, offset: -273.15, suffixes: ['k'] },
  },
  ratio: { '1': unit(1), '%': unit(0.01, 'pct', 'percent') },
  voltage: { V: unit(1, 'v'), mV: unit(0.001, 'mv') },
  power: { W: unit(1, 'w'), kW: unit(1_000, 'kw'), hp: unit(745.699_872, 'hp') },
  consumption: {
    'J/m': unit(1, 'j_m'),
    'Wh/km': unit(3.6, 'wh_km'),
    'kWh/100km': unit(36, 'kwh_100km'),
    'Wh/mi': unit(3_600 / 1_609.344, 'wh_mi'),
  },
  turning: { rpm: unit(1, 'rpm'), 'rad/s': unit(30 / Math.PI, 'rad_s') },
  plain: { '1': unit(1) },
} as const satisfies Record<string, Readonly<Record<string, LinearUnit>>>;

export type Quantity = keyof typeof quantities;

/** value in the first unit = value * scale + offset. */
export interface LinearUnit {
  readonly scale: number;
  readonly offset: number;
  /** How a column's name contains it: `speed_kmh`. */
  readonly suffixes: readonly string[];
}

function unit(scale: number, ...suffixes: readonly string[]): LinearUnit {
  return { scale, offset: 0, suffixes };
}

/** The units of a quantity by their names. */
export function unitsOf(quantity: Quantity): ReadonlyMap<string, LinearUnit> {
  return new Map(Object.entries(quantities[quantity]));
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Texts that stand for a missing value. */
const MISSING = /^(?:|nan|null|n\/a|-)$/i;

/** A number; NaN for a missing value; undefined for anything else. */
export function readNumber(text: string, decimal: '.' | ','): number | undefined {
  const plain = text.trim();
  if (MISSING.test(plain)) return NaN;
  const pointed = decimal === ',' ? plain.replace(',', '.') : plain;
  if (!NUMBER.test(pointed)) return undefined;
  const value = Number(pointed);
  return Number.isFinite(value) ? value : undefined;
}

/** Decimal places between a unit of time and the nanosecond. */
const timeUnits = { s: 9, ms: 6, us: 3, ns: 0 } as const;
export const timeUnitNames = [...Object.keys(timeUnits), 'iso'];
export type TimeUnit = keyof typeof timeUnits | 'iso';

const ISO = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9})\d*)?(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * Nanoseconds, exact to the last written digit (a double since 1970 is not); undefined if it is not a time.
 * An ISO time without a zone is UTC.
 */
export function readTime(text: string, unitName: TimeUnit, decimal: '.' | ','): bigint | undefined {
  const plain = text.trim();
  if (unitName === 'iso') return readIso(plain);
  const pointed = decimal === ',' ? plain.replace(',', '.') : plain;
  const [, sign, whole, fraction = '', exponent] =
    /^([+-]?)(\d{1,19})(?:\.(\d*))?(?:[eE]\+?(\d{1,2}))?$/.exec(pointed) ?? [];
  if (whole === undefined) return undefined;
  const places = timeUnits[unitName] + Number(exponent ?? 0);
  const ns = BigInt(whole + fraction.slice(0, places).padEnd(places, '0'));
  // Larger values are not times, and MCAP could not hold them.
  if (ns > 2n ** 63n - 1n) return undefined;
  return sign === '-' ? -ns : ns;
}

function readIso(text: string): bigint | undefined {
  const [, date, clock, fraction = '', zone = 'Z'] = ISO.exec(text) ?? [];
  if (date === undefined) return undefined;
  const ms = Date.parse(`${date}T${clock}${zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
