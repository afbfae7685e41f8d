import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';
import { securityHeaders } from '../../src/monitors/http/security-headers.js';
import type { PretendFleet } from './pretend-fleet.js';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** What the page asked to be done. */
export interface Asked {
  readonly action: string;
  readonly body: unknown;
}

/**
 * Serves the built page under the product's own security headers, and speaks the live protocol of a made-up
 * fleet: for states that a real recorder reaches only in hours, and for as many topics as are wanted.
 */
export class PageServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Formats it says that it exports; undefined: none. */
  exports: readonly string[] | undefined;
  /** What the next request is refused with. */
  refusal: string | undefined;
  readonly #sockets: WebSocketServer;
  readonly #timer: NodeJS.Timeout;
  #isFrozen = false;

  readonly #server: ReturnType<typeof createServer>;
  readonly #fleet: PretendFleet;

  private constructor(server: ReturnType<typeof createServer>, fleet: PretendFleet, intervalMs: number) {
    this.#server = server;
    this.#fleet = fleet;
    this.#sockets = new WebSocketServer({ server, path: '/live' });
    this.#sockets.on('connection', (socket) => this.#greet(socket));
    this.#timer = setInterval(() => this.#tick(), intervalMs);
  }

  static async start(folder: string, fleet: PretendFleet, intervalMs = 500): Promise<PageServer> {
    const server = createServer((request, response) => {
      void page.#answer(folder, request, response);
    });
    const page = new PageServer(server, fleet, intervalMs);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return page;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Sends nothing more, as a process that is stopped, or continues. */
  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #greet(socket: WebSocket): void {
    const exports = this.exports === undefined ? {} : { exports: this.exports };
    socket.send(JSON.stringify({ type: 'welcome', role: 'operator', ...exports }));
    socket.send(JSON.stringify(this.#fleet.hello()));
  }

  #tick(): void {
    const update = JSON.stringify(this.#fleet.step());
    if (this.#isFrozen) return;
    for (const socket of this.#sockets.clients) if (socket.readyState === socket.OPEN) socket.send(update);
  }

  async #answer(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    const path = (request.url ?? '/').split('?', 1)[0]!;
    if (path === '/alerts') return void response.end('{"alerts":[]}');
    if (path.startsWith('/control/')) return this.#control(path.slice('/control/'.length), request, response);
    try {
      const name = path === '/' ? 'index.html' : path.slice(1);
      const content = await readFile(join(folder, name));
      response.setHeader('content-type', types[extname(name)] ?? 'text/plain');
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  }

  async #control(action: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.asked.push({ action, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) });
    response.setHeader('content-type', 'application/json');
    if (this.refusal === undefined) return void response.end('{"ok":true}');
    response.writeHead(409);
    response.end(JSON.stringify({ error: { code: 'STATE_REFUSED', message: this.refusal } }));
  }
}
