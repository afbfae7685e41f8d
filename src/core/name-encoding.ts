import { createHash } from 'node:crypto';

/** Maximum length of an encoded name in bytes: leaves room in a 255-byte file name and a 1,024-byte key. */
export const ENCODED_NAME_MAX_BYTES = 120;
const HASHED_PREFIX_BYTES = 80;

/**
 * Encodes any name injectively into `[A-Za-z0-9_.-]`, `%XX` and `~`, for use as a file name and in an object
 * key. The result can never leave its folder, because `/` and a leading `.` are escaped. Names that would
 * exceed {@link ENCODED_NAME_MAX_BYTES} keep a readable prefix, then `~` and 32 hex digits of their SHA-256.
 */
export function encodeName(name: string): string {
  if (name === '') return '~';
  const encoded = percentEncode(name);
  if (encoded.length <= ENCODED_NAME_MAX_BYTES) return encoded;
  const digest = createHash('sha256').update(encoded).digest('hex').slice(0, 32);
  const prefix = encoded.slice(0, HASHED_PREFIX_BYTES).replace(/%[0-9A-F]?$/, '');
  return `${prefix}~${digest}`;
}

function percentEncode(name: string): string {
  let encoded = '';
  for (const byte of toBytes(name)) {
    const char = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9_-]/.test(char) || (char === '.' && encoded !== '');
    encoded += plain ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

// UTF-8, but a lone surrogate gets the three bytes that UTF-8 would give it if it allowed it (WTF-8). Buffer
// turns each of them into U+FFFD, and two names would become one.
function toBytes(name: string): Buffer {
  if (!/\p{Surrogate}/u.test(name)) return Buffer.from(name, 'utf8');
  const pieces = [...name].map((char) => {
    const unit = char.charCodeAt(0);
    if (char.length > 1 || unit < 0xd800 || unit > 0xdfff) return Buffer.from(char, 'utf8');
    return Buffer.of(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  });
  return Buffer.concat(pieces);
}
