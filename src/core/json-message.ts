import { JSON_MAX_DEPTH, nestsDeeperThan } from './json-depth.js';

/** Longer integers stay doubles, because the time to make a bigint grows with the square of its digits. */
const BIGINT_MAX_DIGITS = 1_000;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The text of a JSON message (RFC 8259) on one line, as its writer wrote it: numbers keep all their digits,
 * and repeated names stay. It drops a leading byte order mark and replaces half a surrogate pair by U+FFFD,
 * because strict readers refuse both. Throws an Error with the reason if the message is not decoded.
 */
export function jsonText(payload: Uint8Array): string {
  // The decoder removes the byte order mark.
  const text = utf8.decode(payload);
  if (nestsDeeperThan(payload)) throw new Error(`JSON nested more than ${JSON_MAX_DEPTH} deep`);
  JSON.parse(text);
  // Line breaks can only stand between the tokens of JSON, where a blank does as well.
  return withoutHalfPairs(text)
    .replace(/[\r\n]+/g, ' ')
    .trim();
}

/** Matches escapes in order, so that an escaped backslash does not count as the start of the next escape. */
const ESCAPES =
  /(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\./g;

function withoutHalfPairs(text: string): string {
  if (!/\\u[dD][89a-fA-F]/.test(text)) return text;
  return text.replace(ESCAPES, (escape, _pair: unknown, half: unknown) =>
    half === undefined ? escape : '\\ufffd',
  );
}

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parses a JSON text; integers that a double would round become bigint. */
export function jsonValue(text: string): unknown {
  const mark = /\d{16}/.test(text) ? unusedCharacter(text) : undefined;
  if (mark === undefined) return JSON.parse(text) as unknown;
  const marked = text.replace(TOKENS, (token) => (isRounded(token) ? `"${mark}${token}"` : token));
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  );
}

/** A private-use character that does not occur in the text, not even as an escape. */
function unusedCharacter(text: string): string | undefined {
  const lower = text.toLowerCase();
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!text.includes(character) && !lower.includes(`\\u${code.toString(16)}`)) return character;
  }
  return undefined;
}

function isRounded(token: string): boolean {
  const isInteger = /^-?\d{16,}$/.test(token) && token.length <= BIGINT_MAX_DIGITS;
  return isInteger && !Number.isSafeInteger(Number(token));
}
