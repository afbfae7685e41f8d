import type { ErrorCode } from '../../core/error-catalogue.js';
import { HoldfastError, systemCode } from '../../core/errors.js';

/** Errors of the file system, as codes of the port. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'STORE_FULL',
  EDQUOT: 'STORE_FULL',
  EACCES: 'STORE_ACCESS_DENIED',
  EPERM: 'STORE_ACCESS_DENIED',
  EROFS: 'STORE_ACCESS_DENIED',
  ENAMETOOLONG: 'STORE_REJECTED',
  EINVAL: 'STORE_REJECTED',
  EILSEQ: 'STORE_REJECTED',
  ELOOP: 'STORE_REJECTED',
  ENOTDIR: 'STORE_REJECTED',
  EISDIR: 'STORE_REJECTED',
  // FAT32 limits files to 4 GiB.
  EFBIG: 'STORE_REJECTED',
  EMFILE: 'STORE_BUSY',
  ENFILE: 'STORE_BUSY',
  ENOMEM: 'STORE_BUSY',
  EBUSY: 'STORE_BUSY',
  EAGAIN: 'STORE_BUSY',
  EINTR: 'STORE_BUSY',
};

/**
 * Translates an error of the file system; everything not listed (EIO, ENODEV, ESTALE, ...) counts as an
 * absent disk.
 */
export function directoryError(error: unknown, action: string, root: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const system = systemCode(error);
  const code = codes[system ?? ''] ?? 'STORE_OFFLINE';
  return new HoldfastError(code, `${action} in ${root} failed (${system ?? String(error)})`, {
    cause: error,
    facts: { root, action, system },
  });
}

export function hasCode(error: unknown, ...wanted: readonly string[]): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code !== undefined && wanted.includes(code);
}
