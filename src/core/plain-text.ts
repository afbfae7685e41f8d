/** The text of a value that is a number, a bigint or a text, for any declared type. */
export function plainText(value: unknown): string {
  return String(value);
}
