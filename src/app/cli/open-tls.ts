import type { Timer } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import type { TlsFiles } from '../../monitors/http/listener.js';
import type { Invocation } from './command-definition.js';

/** Certificate and key of a server. */
export interface OpenTls {
  readonly files: TlsFiles;
  /** Calls back with the files after each change. */
  readonly watch: (onChange: (files: TlsFiles) => void) => Timer;
}

/** Those of `--tls-cert` and `--tls-key`. Undefined: without TLS. Throws for files that cannot be used. */
export async function openTls({ options, ports }: Invocation): Promise<OpenTls | undefined> {
  const paths = parseTls(options);
  if (paths === undefined) return undefined;
  const { readTlsFiles, watchTlsFiles } = await import('../../ground/tls-files.js');
  const files = await readTlsFiles(paths, ports);
  return { files, watch: (onChange) => watchTlsFiles(paths, files, onChange, ports) };
}

function parseTls(
  options: Readonly<Record<string, unknown>>,
): { readonly cert: string; readonly key: string } | undefined {
  const [cert, key] = [options['tlsCert'], options['tlsKey']];
  if (cert === undefined && key === undefined) return undefined;
  if (typeof cert === 'string' && typeof key === 'string') return { cert, key };
  const missing = cert === undefined ? '--tls-cert' : '--tls-key';
  throw new HoldfastError('REQUEST_INVALID', `${missing} is missing, allowed: both files or none`);
}
