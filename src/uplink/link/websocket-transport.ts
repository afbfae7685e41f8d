import { WebSocket } from 'ws';
import type { Clock } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import { onAbort } from '../../core/on-abort.js';
import { MAX_MESSAGE_BYTES } from '../protocol/uplink-messages.js';
import type { ConnectionEvents, UplinkConnection, UplinkTransport } from './uplink-transport.js';
import { SUBPROTOCOL, WebSocketConnection } from './websocket-connection.js';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const UNAUTHORIZED = 401;

/** Connects a robot to the ground over a WebSocket. */
export class WebSocketTransport implements UplinkTransport {
  readonly address: string;
  readonly #token: string;
  readonly #clock: Clock;

  /** @param url - `ws://host:port` or `wss://host`, without a path the usual one. */
  constructor(url: string, token: string, clock: Clock) {
    const parsed = new URL(url);
    if (parsed.pathname === '/') parsed.pathname = '/uplink';
    this.address = parsed.href;
    this.#token = token;
    this.#clock = clock;
  }

  connect(events: ConnectionEvents, signal: AbortSignal): Promise<UplinkConnection> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const socket = new WebSocket(this.address, [SUBPROTOCOL], {
        headers: { authorization: `Bearer ${this.#token}` },
        ...{ maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false, followRedirects: false },
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      });
      const fail = (error: Error): void => {
        unlisten();
        reject(error);
      };
      const unlisten = onAbort(signal, () => {
        fail(signal.reason as Error);
        socket.terminate();
      });
      socket.once('unexpected-response', (request, response) => {
        const { statusCode } = response;
        request.destroy();
        const code = statusCode === UNAUTHORIZED ? 'GROUND_REFUSED' : 'GROUND_UNREACHABLE';
        fail(
          new HoldfastError(code, `${this.address} answered with ${statusCode}`, { facts: { statusCode } }),
        );
      });
      socket.on('error', (cause) => {
        fail(new HoldfastError('GROUND_UNREACHABLE', `cannot connect to ${this.address}`, { cause }));
      });
      socket.once('open', () => {
        unlisten();
        const connection = new WebSocketConnection(socket, this.#clock);
        connection.listen(events);
        resolve(connection);
      });
    });
  }
}
