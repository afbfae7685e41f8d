import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import { systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { NatsLogin, NatsOptions } from './nats-options.js';

export type { NatsConnection };

const CONNECT_TIMEOUT_MS = 5_000;
/** A dead link is detected after two of these without an answer. */
const PING_INTERVAL_MS = 10_000;
const MAX_PINGS_OUT = 2;

/**
 * One connection, to the first server that answers. It does not reconnect: what must happen on a new
 * connection depends on the state of the stream, so the session starts again.
 *
 * @throws the reason why it cannot connect, including unreadable files.
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
    ...defined({ tls: certificates }),
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
