import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import WebSocket from 'ws';
import { silentLogger } from '../../src/core/logger.js';
import type { MonitoredExports, MonitoredLog } from '../../src/core/monitoring.js';
import { Access, type AccessToken } from '../../src/monitors/http/access.js';
import { controlRoutes } from '../../src/monitors/http/control-routes.js';
import { HttpServer, type HttpServerOptions } from '../../src/monitors/http/http-server.js';
import { readRoutes } from '../../src/monitors/http/read-routes.js';
import { recorderApi } from '../../src/monitors/http/schemas.js';
import { StaticFiles } from '../../src/monitors/http/static-files.js';
import { LiveFeed } from '../../src/monitors/live/live-feed.js';
import { Watch } from '../../src/monitors/live/watch.js';
import { renderMetrics } from '../../src/monitors/metrics/prometheus.js';
import { TopTopics } from '../../src/monitors/metrics/top-topics.js';
import { systemClock } from '../../src/host/system-clock.js';
import { FakeRecorder, FakeSync, watchPorts } from './fake-recorder.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

export interface TestWebOptions extends Partial<HttpServerOptions> {
  readonly tokens?: readonly AccessToken[];
  readonly pageFolder?: string;
  readonly startExport?: MonitoredExports['start'];
}

/** The HTTP server around a fake recorder, on a free loopback port. */
export class TestWeb implements AsyncDisposable {
  readonly recorder = new FakeRecorder();
  readonly sync = new FakeSync();
  watch!: Watch;
  feed!: LiveFeed;
  log!: MonitoredLog;
  server!: HttpServer;

  static async start(options: TestWebOptions = {}): Promise<TestWeb> {
    const web = new TestWeb();
    const { recorder, sync } = web;
    const ports = watchPorts(recorder, sync);
    const log = (web.log = ports.log);
    const watch = (web.watch = new Watch(ports));
    await watch.askSync();
    const feed = (web.feed = new LiveFeed(watch, recorder, log, { intervalMs: 20 }));
    const top = new TopTopics(50);
    const clients = (): { web: number; foxglove: number } => ({ web: web.server.live.clients, foxglove: 0 });
    web.server = await HttpServer.listen(
      {
        address: '127.0.0.1',
        port: 0,
        tries: 1,
        hostname: 'robot-host',
        allowedHosts: [],
        maxClients: 8,
        version: '1.2.3',
        ...options,
      },
      {
        routes: [
          ...readRoutes({
            watch,
            recorder,
            log,
            clients,
            metrics: () =>
              renderMetrics({
                status: watch.status(),
                topics: top.pick(recorder.topics()),
                quarantined: 0,
                clients: clients(),
                cpuSeconds: 1,
              }),
          }),
          ...controlRoutes({
            recorder,
            sync,
            log,
            ...(options.startExport ? { exports: { formats: ['mcap'], start: options.startExport } } : {}),
          }),
        ],
        api: recorderApi,
        access: new Access(options.tokens ?? []),
        feed,
        files: await StaticFiles.list(options.pageFolder ?? '/nonexistent'),
        clock: systemClock,
        logger: silentLogger,
      },
    );
    return web;
  }

  get host(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  /** Sends the path exactly as it is given, unlike `fetch`. */
  ask(
    method: string,
    path: string,
    options: { readonly headers?: Record<string, string>; readonly body?: string | Buffer } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port: this.server.port,
          method,
          path,
          agent: false,
          headers: {
            ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
            ...options.headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const isJson = /json/.test(response.headers['content-type'] ?? '');
            const json = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>;
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
          });
        },
      );
      request.on('error', reject);
      request.end(options.body);
    });
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('GET', path, { headers });
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('POST', path, {
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  page(headers: Record<string, string> = {}): LivePage {
    return new LivePage(`ws://${this.host}/live`, headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watch[Symbol.dispose]();
    this.feed[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** One who watches over the WebSocket. */
export class LivePage {
  readonly socket: WebSocket;
  readonly messages: Record<string, unknown>[] = [];
  readonly #wakers = new Set<() => void>();
  /** Close code, or the HTTP status that refused it. */
  readonly ended: Promise<number>;

  constructor(url: string, headers: Record<string, string>) {
    this.socket = new WebSocket(url, { headers });
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(String(data)) as Record<string, unknown>);
      for (const wake of this.#wakers) wake();
    });
    this.ended = new Promise((resolve) => {
      this.socket.on('close', (code) => resolve(code));
      this.socket.on('unexpected-response', (_, response) => {
        resolve(response.statusCode ?? 0);
        this.socket.terminate();
      });
      this.socket.on('error', () => {});
    });
  }

  /** The next message that fits and was not asked for before. */
  async next(fits: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    for (let at = 0; ; at++) {
      while (at >= this.messages.length) {
        await new Promise<void>((resolve) => {
          this.#wakers.add(resolve);
          void this.ended.then(() => resolve());
        });
        this.#wakers.clear();
        if (at >= this.messages.length && this.socket.readyState === WebSocket.CLOSED) {
          throw new Error('the connection ended before the message came');
        }
      }
      const message = this.messages[at]!;
      if (fits(message)) {
        this.messages.splice(0, at + 1);
        return message;
      }
    }
  }
}
