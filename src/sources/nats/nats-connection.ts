import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { HoldfastError } from '../../core/errors.js';
import { systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { NatsLogin, NatsOptions } from './nats-options.js';

export type { NatsConnection };

const CONNECT_TIMEOUT_MS = 5_000;
/** A dead link is noticed after two of these without an answer. */
const PING_INTERVAL_MS = 10_000;
const MAX_PINGS_OUT = 2;

/**
 * One connection, to whichever of the servers answers first. It does not reconnect: what is to happen on a new
 * connection depends on what the stream has become, so the session begins anew.
 *
 * @throws what keeps it from connecting, files that cannot be read included.
 */
export async function connectNats(options: NatsOptions, fs: FileSystem): Promise<NatsConnection> {
  const { servers, tls } = options;
  const text = async (path: string): Promise<string> => (await readSecret(fs, path)).toString('utf8');
  const certificates =
    tls &&
    Object.fromEntries(
      await Promise.all(Object.entries(tls).map(async ([name, path]) => [name, await text(path)] as const)),
    );
  return connect({
    servers: [...servers],
    name: 'holdfast',
    reconnect: false,
    ignoreClusterUpdates: true,
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    ...(certificates === undefined ? {} : { tls: certificates }),
    ...(await credentials(options.login, fs)),
  });
}

async function credentials(login: NatsLogin, fs: FileSystem): Promise<Parameters<typeof connect>[0]> {
  const line = async (path: string): Promise<string> =>
    (await readSecret(fs, path)).toString('utf8').replace(/\r?\n$/, '');
  switch (login.kind) {
    case 'none':
      return {};
    case 'token':
      return { token: login.token };
    case 'token-file':
      return { token: await line(login.path) };
    case 'creds-file':
      return { authenticator: credsAuthenticator(await readSecret(fs, login.path)) };
    case 'password':
      return { user: login.user, pass: login.password };
    case 'password-file':
      return { user: login.user, pass: await line(login.path) };
  }
}

async function readSecret(fs: FileSystem, path: string): Promise<Buffer> {
  try {
    return await fs.readFile(path);
  } catch (cause) {
    throw new HoldfastError('SOURCE_UNREADABLE', `cannot read ${path} (${systemCode(cause) ?? 'unknown'})`, {
      facts: { path },
    });
  }
}
