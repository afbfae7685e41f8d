import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { BlockList, isIPv6, type AddressInfo, type Socket } from 'node:net';
import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import { WebSocketReception } from '../uplink/link/websocket-reception.js';
import type { Fleet } from './fleet.js';
import { renderGroundMetrics } from './ground-metrics.js';

export interface GroundServerOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface GroundServerPorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

const HEADERS_MAX_BYTES = 8 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Sockets of robots and people together. */
const SOCKETS_MAX = 2_500;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * The ground's HTTP server: robots connect to `/uplink` with their token. `/healthz`, `/metrics` and `/api/robots`
 * answer only this machine, because people have no tokens yet.
 */
export class GroundServer implements AsyncDisposable {
  readonly #fleet: Fleet;
  readonly #server: Server;
  readonly #reception: WebSocketReception;
  readonly #sockets = new Set<Socket>();

  private constructor(fleet: Fleet, ports: GroundServerPorts) {
    this.#fleet = fleet;
    this.#reception = new WebSocketReception(fleet, ports);
    const limits = { maxHeaderSize: HEADERS_MAX_BYTES, headersTimeout: HEADERS_TIMEOUT_MS };
    this.#server = createServer({ ...limits, requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) =>
      this.#answer(request, response),
    );
    this.#server.maxConnections = SOCKETS_MAX;
    this.#server.on(
      'upgrade',
      (request, socket, head) => void this.#reception.upgrade(request, socket, head),
    );
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Listens; rejects with the system's error if the port is taken or the address is not of this machine. */
  static async listen(
    { address, port }: GroundServerOptions,
    fleet: Fleet,
    ports: GroundServerPorts,
  ): Promise<GroundServer> {
    const server = new GroundServer(fleet, ports);
    server.#server.listen(port, address);
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#reception[Symbol.dispose]();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '/' } = request;
    const path = pathOf(url);
    if (!isFromHere(request)) {
      send(response, 403, { error: 'this machine only' });
      return;
    }
    if (method !== 'GET' && method !== 'HEAD') {
      send(response, 405, { error: 'allowed: GET, HEAD' });
      return;
    }
    if (path === '/healthz') {
      send(response, 200, { ok: true });
      return;
    }
    if (path === '/metrics') {
      sendText(response, 200, 'text/plain; version=0.0.4', this.#metrics());
      return;
    }
    if (path === '/api/robots') {
      send(response, 200, { robots: this.#fleet.robots() });
      return;
    }
    const name = /^\/api\/robots\/([A-Za-z0-9_.-]+)$/.exec(path)?.[1];
    const robot = name === undefined ? undefined : this.#fleet.robot(name);
    if (robot === undefined) {
      send(response, 404, { error: 'not found' });
      return;
    }
    send(response, 200, robot);
  }

  #metrics(): string {
    return (
      renderGroundMetrics(this.#fleet.robots()) +
      '# HELP holdfast_ground_refused_total Connections of robots without a valid token.\n' +
      `# TYPE holdfast_ground_refused_total counter\nholdfast_ground_refused_total ${this.#reception.refused}\n`
    );
  }
}

/** A foreign page whose name was made to resolve to this machine has its own name in the header Host. */
function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const { remoteAddress = '' } = socket;
  const plain = remoteAddress.replace(/^::ffff:/, '');
  if (!loopback.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')) return false;
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i.test(headers.host ?? '');
}

function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  sendText(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    ...{ 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' },
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
