import { connect, credsAuthenticator, RequestError, type NatsConnection } from '@nats-io/transport-node';
import type { TrustOptions } from './ground-trust.js';

export type { NatsConnection };

/** Where a NATS server is, and how to log in. */
export interface NatsPlace {
  /** `nats://host:port`, or `natss://host:port` with TLS. Default port: 4222. */
  readonly url: string;
  /** Content of a credentials file (`.creds`); absent: the server needs none. */
  readonly creds?: Uint8Array;
  /** With `natss://`; absent: the certificates that the system trusts. */
  readonly trust?: TrustOptions;
}

const DEFAULT_PORT = '4222';
const CONNECT_TIMEOUT_MS = 5_000;
/** A dead link is detected after two of these without an answer. */
const PING_INTERVAL_MS = 10_000;
const MAX_PINGS_OUT = 2;
const RECONNECT_WAIT_MS = 500;

/** Without the default port. */
export function natsAddress({ url }: NatsPlace): string {
  const { protocol, hostname, port } = new URL(url);
  return `${protocol}//${hostname}:${port || DEFAULT_PORT}`;
}

/**
 * Connects to NATS. Rejects with an error of the library.
 * @param keeps - Reconnects for ever after an end; otherwise the end of the connection is final.
 */
export async function connectToNats(
  place: NatsPlace,
  name: string,
  { keeps, inboxPrefix }: { readonly keeps: boolean; readonly inboxPrefix?: string },
): Promise<NatsConnection> {
  const { protocol, hostname, port } = new URL(place.url);
  return await connect({
    servers: `${hostname}:${port || DEFAULT_PORT}`,
    name,
    ...(protocol === 'natss:' ? { tls: { ...place.trust } } : {}),
    ...(place.creds === undefined ? {} : { authenticator: credsAuthenticator(place.creds) }),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    ...{ timeout: CONNECT_TIMEOUT_MS, pingInterval: PING_INTERVAL_MS, maxPingOut: MAX_PINGS_OUT },
    ...{ reconnect: keeps, maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_WAIT_MS },
    ignoreClusterUpdates: !keeps,
  });
}

/** Whether a request has failed because nobody listens to its subject, as the server says at once. */
export function hasNoListener(error: unknown): boolean {
  return error instanceof RequestError && error.isNoResponders();
}
