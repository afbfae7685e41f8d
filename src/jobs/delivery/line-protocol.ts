/*
 * InfluxDB line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/.
 */

/** What all points of a line's series share. */
export interface LineSeries {
  readonly measurement: string;
  /** A tag without a value is left out: the protocol has no empty tags. */
  readonly tags: Readonly<Record<string, string>>;
}

/** One number of a point. */
export interface LineField {
  readonly name: string;
  readonly value: number;
}

/** The beginning of the lines of a series, in the form that servers sort least: tags in the order of their names. */
export function lineHead({ measurement, tags }: LineSeries): string {
  const pairs = Object.entries(tags)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `,${escapeKey(name)}=${escapeKey(value)}`);
  return escapeMeasurement(measurement) + pairs.join('');
}

/**
 * One line, without its end. Numbers are floats in any case, so that a field has one type for ever.
 *
 * @param fields - At least one; all finite.
 * @param timeNs - Nanoseconds since the Unix epoch.
 */
export function formatLine(head: string, fields: readonly LineField[], timeNs: bigint): string {
  const pairs = fields.map(({ name, value }) => `${escapeKey(name)}=${value}`);
  return `${head} ${pairs.join(',')} ${timeNs}`;
}

export function escapeMeasurement(text: string): string {
  return plain(text).replace(/[, ]/g, '\\$&');
}

/** Of the name of a tag or field, and of the value of a tag. */
export function escapeKey(text: string): string {
  return plain(text).replace(/[,= ]/g, '\\$&');
}

/**
 * No escape exists for the end of a line within names and tags, and a backslash before a separator would escape it.
 * Both become `_`, and so does every other control character.
 */
function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f\u2028\u2029]|\\(?=[,= ]|$)/g, '_');
}
