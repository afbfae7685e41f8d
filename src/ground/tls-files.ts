import type { Clock, Timer } from '../core/clock.js';
import { describeError, HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { TlsFiles } from '../monitors/http/listener.js';

export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
}

export interface TlsPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_MS = 5_000;

/** Reads a certificate and its key. Throws `CONFIG_INVALID` if one of the files cannot be read. */
export async function readTlsFiles({ cert, key }: TlsPaths, { fs }: TlsPorts): Promise<TlsFiles> {
  const read = async (path: string, what: string): Promise<string> => {
    try {
      return (await fs.readFile(path)).toString('utf8');
    } catch (error) {
      const message = `${what} ${path} cannot be read: ${describeError(error)}`;
      throw new HoldfastError('CONFIG_INVALID', message, { cause: error, facts: { path } });
    }
  };
  return { cert: await read(cert, '--tls-cert'), key: await read(key, '--tls-key') };
}

/** Looks every 5 s whether the files have changed, as programs that renew certificates do without a word. */
export function watchTlsFiles(
  paths: TlsPaths,
  first: TlsFiles,
  renew: (files: TlsFiles) => void,
  ports: TlsPorts,
): Timer {
  let known = first;
  const look = async (): Promise<void> => {
    try {
      const found = await readTlsFiles(paths, ports);
      if (found.cert === known.cert && found.key === known.key) return;
      known = found;
      renew(found);
      ports.logger.info('another certificate is used', { cert: paths.cert });
    } catch (error) {
      ports.logger.warn('the certificate cannot be renewed; the earlier one is still used', {
        ...{ cert: paths.cert, error: describeError(error) },
      });
    }
  };
  return ports.clock.every(LOOK_MS, () => void look(), { background: true });
}
