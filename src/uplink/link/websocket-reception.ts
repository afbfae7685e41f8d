import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { MAX_MESSAGE_BYTES } from '../protocol/uplink-messages.js';
import type { GroundReception } from './uplink-transport.js';
import { ReadTurns } from './read-turns.js';
import { SUBPROTOCOL, WebSocketConnection } from './websocket-connection.js';

/** Path of the uplink on the ground's server. */
export const UPLINK_PATH = '/uplink';

export interface WebSocketReceptionPorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Robots at once. */
const MAX_CONNECTIONS = 2_000;
const TOKEN_MAX_CHARS = 200;

/** The ground's end: turns WebSocket handshakes of an HTTP server into connections of robots. */
export class WebSocketReception implements Disposable {
  readonly #server = new WebSocketServer({
    ...{ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false },
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  readonly #reception: GroundReception;
  readonly #ports: WebSocketReceptionPorts;
  readonly #turns: ReadTurns;
  #connections = 0;
  /** Handshakes without a valid token. */
  refused = 0;

  constructor(reception: GroundReception, ports: WebSocketReceptionPorts) {
    this.#reception = reception;
    this.#ports = ports;
    this.#turns = new ReadTurns(ports.clock);
  }

  get connections(): number {
    return this.#connections;
  }

  /** For the event `upgrade` of an HTTP server. Never rejects. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Without a listener an error of the peer ends the process.
    socket.on('error', () => undefined);
    try {
      if (new URL(request.url ?? '/', 'ws://ground').pathname !== UPLINK_PATH) {
        refuse(socket, '404 Not Found');
        return;
      }
      const robot = await this.#admit(request);
      if (robot === undefined) {
        this.refused++;
        refuse(socket, '401 Unauthorized');
      } else if (this.#connections >= MAX_CONNECTIONS) refuse(socket, '503 Service Unavailable');
      else this.#accept(robot, request, socket, head);
    } catch (error) {
      this.#ports.logger.warn('a robot could not connect', { error: describeError(error) });
      refuse(socket, '500 Internal Server Error');
    }
  }

  [Symbol.dispose](): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }

  async #admit({ headers }: IncomingMessage): Promise<string | undefined> {
    const [scheme, token = ''] = (headers.authorization ?? '').split(' ', 2);
    if (scheme !== 'Bearer' || token === '' || token.length > TOKEN_MAX_CHARS) return undefined;
    return await this.#reception.admit(token);
  }

  #accept(robot: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#connections++;
      this.#turns.add(webSocket);
      webSocket.once('close', () => {
        this.#connections--;
        this.#turns.remove(webSocket);
      });
      const connection = new WebSocketConnection(webSocket, this.#ports.clock);
      connection.listen(this.#reception.accept(robot, connection));
      // After the listener above, so that the time of its work counts.
      webSocket.on('message', () => this.#turns.took(webSocket));
    });
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
