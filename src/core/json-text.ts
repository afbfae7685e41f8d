/** `JSON.stringify` with its complete type: undefined, functions and symbols have no JSON text. */
export function jsonText(
  value: unknown,
  replacer?: (key: string, value: unknown) => unknown,
): string | undefined {
  const text: unknown = JSON.stringify(value, replacer);
  return typeof text === 'string' ? text : undefined;
}
