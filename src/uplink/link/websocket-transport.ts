import { WebSocket, type ClientOptions } from 'ws';
import type { Clock } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import { onAbort } from '../../core/on-abort.js';
import { MAX_MESSAGE_BYTES } from '../protocol/uplink-messages.js';
import type { ConnectionEvents, UplinkConnection, UplinkTransport } from './uplink-transport.js';
import { distrust, readTrust, type GroundTrust, type TrustOptions } from './ground-trust.js';
import { SUBPROTOCOL, WebSocketConnection } from './websocket-connection.js';

/**
 * A ground that hangs must not hold a robot: with the wait before the next attempt, the robot is with another process
 * within 5 s. A link that is too slow for this gets twice the time at the next attempt.
 */
const HANDSHAKE_FIRST_MS = 3_000;
const HANDSHAKE_MAX_MS = 12_000;
const UNAUTHORIZED = 401;
const NOT_FOUND = 404;

/** Connects a robot to the ground over a WebSocket. */
export class WebSocketTransport implements UplinkTransport {
  readonly address: string;
  readonly #token: string;
  readonly #clock: Clock;
  readonly #trust: GroundTrust | undefined;
  #patienceMs = HANDSHAKE_FIRST_MS;

  /**
   * @param url - `ws://host:port` or `wss://host`, without a path the usual one.
   * @param trust - For `wss://`; undefined: the certificates that the system trusts.
   */
  constructor(url: string, token: string, clock: Clock, trust?: GroundTrust) {
    const parsed = new URL(url);
    if (parsed.pathname === '/') parsed.pathname = '/uplink';
    this.address = parsed.href;
    this.#token = token;
    this.#clock = clock;
    this.#trust = trust;
  }

  async connect(events: ConnectionEvents, signal: AbortSignal): Promise<UplinkConnection> {
    return await this.#connect(events, signal, await readTrust(this.#trust));
  }

  #connect(
    events: ConnectionEvents,
    signal: AbortSignal,
    tls: TrustOptions | undefined,
  ): Promise<UplinkConnection> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const socket = new WebSocket(this.address, [SUBPROTOCOL], {
        headers: { authorization: `Bearer ${this.#token}` },
        ...{ maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false, followRedirects: false },
        ...(tls as ClientOptions | undefined),
      });
      const fail = (error: Error): void => {
        unlisten();
        timer.cancel();
        reject(error);
      };
      const patienceMs = this.#patienceMs;
      const timer = this.#clock.after(patienceMs, () => {
        this.#patienceMs = Math.min(2 * patienceMs, HANDSHAKE_MAX_MS);
        const text = `${this.address} did not answer within ${patienceMs / 1_000} s`;
        fail(new HoldfastError('GROUND_UNREACHABLE', text, { facts: { patienceMs } }));
        socket.terminate();
      });
      const unlisten = onAbort(signal, () => {
        fail(signal.reason as Error);
        socket.terminate();
      });
      socket.once('unexpected-response', (request, response) => {
        const { statusCode } = response;
        request.destroy();
        const code = statusCode === UNAUTHORIZED ? 'GROUND_REFUSED' : 'GROUND_UNREACHABLE';
        const hint = statusCode === NOT_FOUND ? ': nothing is at this path, and ground.url needs none' : '';
        const message = `${this.address} answered with ${statusCode}${hint}`;
        fail(new HoldfastError(code, message, { facts: { statusCode } }));
      });
      socket.on('error', (cause) => {
        const unreachable = `cannot connect to ${this.address}`;
        fail(
          distrust(this.address, cause, this.#trust) ??
            new HoldfastError('GROUND_UNREACHABLE', unreachable, { cause }),
        );
      });
      socket.once('open', () => {
        unlisten();
        timer.cancel();
        this.#patienceMs = HANDSHAKE_FIRST_MS;
        const connection = new WebSocketConnection(socket, this.#clock);
        connection.listen(events);
        resolve(connection);
      });
    });
  }
}
