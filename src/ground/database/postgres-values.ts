import pg from 'pg';
import { formatTime } from '../../core/clock.js';

const { types } = pg;

const TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/;

/** Reads a `timestamptz` of a connection in UTC with ISO dates. Throws a RangeError for infinity and years BC. */
export function readTimestamp(text: string): bigint {
  const match = TIME.exec(text);
  if (match === null) throw new RangeError(`the database returned the time "${text}"`);
  const [, date, time, fraction = ''] = match;
  const ms = Date.parse(`${date}T${time}Z`);
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(6, '0')) * 1_000n;
}

/** Writes a time for a `timestamptz`; digits below a microsecond are rounded by PostgreSQL. */
export function writeTimestamp(timeNs: bigint): string {
  return formatTime(timeNs);
}

function readNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && !Number.isSafeInteger(number))
    throw new RangeError(`the database returned ${text}, which is no exact number here: select it as text`);
  return number;
}

/** How values of columns are read, on every connection. */
export const valueTypes: pg.CustomTypesConfig = {
  getTypeParser(id, format) {
    if (format !== 'binary') {
      if (id === types.builtins.TIMESTAMPTZ) return readTimestamp;
      if (id === types.builtins.INT8 || id === types.builtins.NUMERIC) return readNumber;
    }
    return types.getTypeParser(id, format) as (text: string) => unknown;
  },
};
