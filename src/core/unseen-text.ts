import { present } from './present.js';
/**
 * Invisible characters that change what is shown: controls (C0 and C1), marks that change the writing
 * direction or join nothing, line separators, and lone surrogates.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Most lines have only these characters, and the test is fast. */
const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Text for a person. Names come from outside: nothing in them may move the cursor, break a line or change its
 * direction.
 */
export function printable(text: string): string {
  return text.replace(UNSEEN, (char) => {
    const code = present(char.codePointAt(0));
    if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** The same for several lines, which keeps line ends and tabs. */
export function printableLines(text: string): string {
  return text.replace(/[^\n\t]+/g, printable);
}

/** JSON on one line with such characters as escapes: the same value, safe to show on a terminal. */
export function printableJson(json: string): string {
  if (PLAIN.test(json)) return json;
  return json.replace(UNSEEN, (char) =>
    Array.from(
      { length: char.length },
      (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
