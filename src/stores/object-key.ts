import { HoldfastError } from '../core/errors.js';

/** Maximum length of a key in bytes, including the prefix: the limit of S3. */
export const KEY_MAX_BYTES = 1024;

/** Everything below this first segment belongs to Holdfast: the id object, unfinished uploads. */
export const RESERVED_SEGMENT = '.holdfast';
export const ID_KEY = `${RESERVED_SEGMENT}/store-id`;
/** Below it, a short text per sink of a data folder. */
const MARKS = `${RESERVED_SEGMENT}/marks`;
export const MARK_MAX_BYTES = 64;

/** The key of a mark. */
export function markKey(name: string): string {
  if (!/^[0-9a-f]{32}$/.test(name)) {
    throw new HoldfastError('INTERNAL', `the name of a mark is ${JSON.stringify(name)}, not 32 hex digits`);
  }
  return `${MARKS}/${name}`;
}

/**
 * The key's segments. Throws `STORE_REJECTED` for keys that could leave the store's root or that stores
 * interpret differently: empty, `.` or `..` segments, a leading or trailing slash, backslashes and control
 * characters, more than {@link KEY_MAX_BYTES} with the prefix, Holdfast's own `.holdfast/`.
 */
export function keySegments(key: string, prefix = ''): readonly string[] {
  const segments = key.split('/');
  const fault = faultOf(key, segments, prefix);
  if (fault !== undefined) {
    const shown = key.length > 120 ? `${key.slice(0, 120)}...` : key;
    throw new HoldfastError('STORE_REJECTED', `key ${JSON.stringify(shown)}: ${fault}`, {
      facts: { key: shown },
    });
  }
  return segments;
}

function faultOf(key: string, segments: readonly string[], prefix: string): string | undefined {
  if (key === '') return 'is empty';
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'has an empty, "." or ".." segment';
  }
  if (/[\u0000-\u001f\u007f\\]/.test(key)) return 'has a control character or a backslash';
  if (/\p{Surrogate}/u.test(key)) return 'is not valid Unicode';
  if (segments[0] === RESERVED_SEGMENT) return `begins with ${RESERVED_SEGMENT}/, which is Holdfast's own`;
  const bytes = Buffer.byteLength(prefix === '' ? key : `${prefix}/${key}`);
  if (bytes > KEY_MAX_BYTES) return `is ${bytes} bytes long with its prefix, allowed: ${KEY_MAX_BYTES}`;
  return undefined;
}
