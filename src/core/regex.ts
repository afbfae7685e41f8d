/** The expression, or `undefined` if it is not valid. */
export function parseRegex(text: string): RegExp | undefined {
  if (text === '') return undefined;
  try {
    return new RegExp(text, 'u');
  } catch {
    return undefined; // the caller reports it with its path and what is allowed
  }
}
