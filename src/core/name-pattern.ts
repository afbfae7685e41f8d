import { present } from './present.js';
/** True if one of the patterns matches, or if the list is empty; `*` stands for any text. */
export function matches(patterns: readonly string[] | undefined, text: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matchesOne(pattern, text));
}

/** No backtracking over the whole name: each piece between stars is searched once, from left to right. */
function matchesOne(pattern: string, text: string): boolean {
  const pieces = pattern.split('*');
  if (pieces.length === 1) return pattern === text;
  const first = present(pieces.shift());
  const last = present(pieces.pop());
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
