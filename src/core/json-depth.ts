/**
 * Maximum nesting of JSON that is decoded: code that walks a value recurses once per level. Python's reader
 * gives up at 1,000 levels, and one such message would make the whole file unreadable for it.
 */
export const JSON_MAX_DEPTH = 512;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/**
 * Whether JSON text (UTF-8) nests lists and objects deeper than `max`. It does not check whether the text is
 * valid.
 */
export function nestsDeeperThan(json: Uint8Array, max = JSON_MAX_DEPTH): boolean {
  // Each level takes one byte to open.
  if (json.byteLength <= max) return false;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.byteLength; at++) {
    const byte = json[at] as number;
    if (isText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (OPEN.has(byte)) {
      if (++depth > max) return true;
    } else if (CLOSE.has(byte)) depth--;
  }
  return false;
}
