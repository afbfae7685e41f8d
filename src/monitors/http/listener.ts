import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { pathOf } from './request-checks.js';

const HEADERS_MAX_BYTES = 8 * 1024;
/** For a request's head, so that slow senders are disconnected. */
const HEADERS_TIMEOUT_MS = 5_000;

/** A certificate with its chain, and its key, as PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Takes handshakes at a path of its own, before the pages. */
export interface UpgradeTaker {
  readonly path: string;
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Options of Node's server; typed as those of a plain one, which Fastify's other options do not tell apart. */
export function listenerOptions(tls: TlsFiles | undefined): { readonly http: object } {
  const limits = {
    maxHeaderSize: HEADERS_MAX_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
  };
  const options = tls === undefined ? { http: limits } : { https: { ...limits, ...tls } };
  return options as { readonly http: object };
}

/**
 * Fastify's own WebSocket plugin would answer each handshake, and end the connection without a reason if nothing is there.
 *
 * @param path - The only one that is left to the plugin.
 */
export function divertUpgrades(server: Server, taker: UpgradeTaker, path: string): void {
  const others = server.listeners('upgrade');
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const asked = pathOf(request.url ?? '/');
    if (asked === taker.path) taker.take(request, socket, head);
    else if (asked === path) for (const other of others) other.call(server, request, socket, head);
    else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
}
