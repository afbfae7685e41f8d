import type { Stats } from 'ssh2';

/** What a directory store looks at. */
export interface RemoteStats {
  readonly size: number;
  readonly mtimeMs: number;
  /** The protocol has none: two names of a file are not recognised. */
  readonly nlink: 1;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

/** SSH_FX_ codes of version 3 (the draft of October 2001, section 7) with the errors for which OpenSSH uses them. */
const codes: Readonly<Record<number, string>> = {
  2: 'ENOENT',
  3: 'EACCES',
  // Failure: any other error.
  4: 'EIO',
  5: 'EINVAL',
  8: 'ENOTSUP',
};

/** The status in which the server answered. */
export const SftpStatus = {
  /** As an error of a local file system has it; undefined: the error is not a status. */
  codeOf(error: unknown): string | undefined {
    const { code } = error as { readonly code?: unknown };
    return typeof code === 'number' ? (codes[code] ?? 'EIO') : undefined;
  },
} as const;

/** An error as Node.js has it for a local file. */
export function systemError(code: string, action: string, path: string, cause?: unknown): Error {
  return Object.assign(new Error(`${code}: ${action} '${path}'`, { cause }), { code, path });
}

export function statsOf(attributes: Stats): RemoteStats {
  return {
    size: attributes.size,
    mtimeMs: attributes.mtime * 1_000,
    nlink: 1,
    isFile: () => attributes.isFile(),
    isDirectory: () => attributes.isDirectory(),
    isSymbolicLink: () => attributes.isSymbolicLink(),
  };
}
