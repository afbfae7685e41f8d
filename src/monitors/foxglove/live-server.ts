import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import wsProtocol from '@foxglove/ws-protocol';
import { WebSocketServer, type WebSocket } from 'ws';
import { NS_PER_MS, type Clock, type Timer } from '../../core/clock.js';
import type { Unlisten } from '../../core/listen.js';
import type { Logger } from '../../core/logger.js';
import { withOwnData, type Message } from '../../core/message.js';
import type { MonitoredLog, MonitoredRecorder } from '../../core/monitoring.js';
import { isOurHost, type HostPolicy } from '../http/request-checks.js';
import { listenOnFreePort, type PortChoice } from '../listen-port.js';
import type { Watch } from '../live/watch.js';
import { BoundedSocket } from './bounded-socket.js';
import { LiveChannels } from './live-channels.js';
import {
  alertsMessage,
  logMessage,
  statusChannels,
  statusMessage,
  watermarkMessage,
  type StatusTopic,
} from './status-topics.js';

// A CommonJS package whose names Node cannot see from a module.
const { FoxgloveServer } = wsProtocol;

export interface FoxgloveLiveOptions extends PortChoice, HostPolicy {
  readonly maxClients: number;
  /** Unsent bytes per client. */
  readonly clientMaxBytes: number;
  /** Web origins beside Foxglove's own. */
  readonly allowedOrigins: readonly string[];
  readonly name: string;
}

export interface FoxgloveLiveParts {
  readonly recorder: MonitoredRecorder;
  readonly watch: Watch;
  readonly log: MonitoredLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Newer clients offer the first, older ones the second; the protocol is the same. */
const SUBPROTOCOLS: readonly string[] = ['foxglove.sdk.v1', 'foxglove.websocket.v1'];
const MESSAGE_MAX_BYTES = 2 * 2 ** 20;
const STUCK_MS = 10_000;
const WATERMARK_MS = 200;
const STATUS_EVERY = 5;
const MESSAGE_DATA = 1;
/** Foxglove's own pages, and its desktop application, whose pages are files. */
const foxgloveOrigins: readonly RegExp[] = [/^https:\/\/([a-z0-9-]+\.)*foxglove\.dev$/i, /^file:\/\//i];

/**
 * The recorded topics live, for Foxglove. It listens to the recorder only while a client is connected; each
 * client is bounded (see {@link BoundedSocket}). Messages are sent when they are queued, before they are
 * durable: `/holdfast/watermark` says which ones are durable.
 */
export class FoxgloveLive implements AsyncDisposable {
  port = 0;
  /** Messages that slow clients did not get, and clients dropped for being slow. */
  skipped = 0;
  dropped = 0;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #foxglove: InstanceType<typeof FoxgloveServer>;
  readonly #clients = new Set<BoundedSocket>();
  readonly #subscribed = new Set<number>();
  readonly #channels: LiveChannels;
  readonly #statusIds: Readonly<Record<StatusTopic, number>>;
  #untap: Unlisten | undefined;
  #timer: Timer | undefined;
  #ticks = 0;
  #sentLog = 0;

  readonly #options: FoxgloveLiveOptions;
  readonly #parts: FoxgloveLiveParts;

  private constructor(options: FoxgloveLiveOptions, parts: FoxgloveLiveParts) {
    this.#options = options;
    this.#parts = parts;
    const { sessionId } = parts.recorder.status();
    this.#foxglove = new FoxgloveServer({
      name: options.name,
      capabilities: [],
      ...(sessionId === '' ? {} : { sessionId }),
      metadata: { watermark_topic: statusChannels.watermark.topic },
    });
    this.#foxglove.on('subscribe', (id) => this.#subscribed.add(id));
    this.#foxglove.on('unsubscribe', (id) => this.#subscribed.delete(id));
    this.#foxglove.on('error', (error) => parts.logger.debug('a Foxglove client sent nonsense', { error }));
    const announce = (topic: StatusTopic): number => this.#foxglove.addChannel(statusChannels[topic]);
    this.#statusIds = {
      watermark: announce('watermark'),
      status: announce('status'),
      alerts: announce('alerts'),
      log: announce('log'),
    };
    this.#channels = new LiveChannels((channel) => this.#foxglove.addChannel(channel));
    this.#server = createServer(
      {
        maxHeaderSize: 8 * 1024,
        headersTimeout: 5_000,
        requestTimeout: 10_000,
        connectionsCheckingInterval: 1_000,
      },
      (_, response) => {
        response.writeHead(426, { 'content-type': 'text/plain' });
        response.end('Foxglove connects here with a WebSocket.\n');
      },
    );
    this.#server.maxConnections = options.maxClients * 2 + 8;
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: MESSAGE_MAX_BYTES,
      perMessageDeflate: false,
      handleProtocols: (offered) => SUBPROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
    });
    this.#server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const refusal = this.#refusal(request);
      if (refusal === undefined) {
        this.#sockets.handleUpgrade(request, socket, head, (accepted) => this.#accept(accepted, request));
      } else socket.end(`HTTP/1.1 ${refusal}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    });
  }

  /** Rejects if no port is available. */
  static async listen(options: FoxgloveLiveOptions, parts: FoxgloveLiveParts): Promise<FoxgloveLive> {
    const live = new FoxgloveLive(options, parts);
    await listenOnFreePort(options, (port) => live.#bind(port));
    live.port = (live.#server.address() as AddressInfo).port;
    live.#server.unref();
    live.#server.on('error', (error) => parts.logger.warn('the Foxglove server failed', { error }));
    return live;
  }

  get url(): string {
    const { address } = this.#options;
    return `ws://${address.includes(':') ? `[${address}]` : address}:${this.port}`;
  }

  /** Whether any client subscribes to this channel of the protocol. */
  isSubscribed(id: number): boolean {
    return this.#subscribed.has(id);
  }

  /** Unsent bytes of the slowest client. */
  get maxUnsentBytes(): number {
    return Math.max(0, ...[...this.#clients].map(({ unsentBytes }) => unsentBytes));
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.terminate();
    this.#rest();
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  #bind(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, this.#options.address, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  #refusal(request: IncomingMessage): string | undefined {
    const { host, origin } = request.headers;
    if (!isOurHost(host, this.#options)) return '403 Forbidden';
    const isKnown =
      origin === undefined ||
      foxgloveOrigins.some((known) => known.test(origin)) ||
      this.#options.allowedOrigins.includes(origin);
    if (!isKnown) return '403 Forbidden';
    return this.#clients.size >= this.#options.maxClients ? '503 Service Unavailable' : undefined;
  }

  #accept(socket: WebSocket, request: IncomingMessage): void {
    if (socket.protocol === '') {
      socket.close(1002, 'offer foxglove.sdk.v1 or foxglove.websocket.v1');
      return;
    }
    const { clock, logger } = this.#parts;
    const client = new BoundedSocket(socket, {
      maxBytes: this.#options.clientMaxBytes,
      stuckMs: STUCK_MS,
      nowMs: () => Number(clock.monotonic() / NS_PER_MS),
      onSkipped: () => this.skipped++,
    });
    this.#clients.add(client);
    this.#wake();
    this.#foxglove.handleConnection(client, String(request.socket.remotePort));
    socket.on('message', (data: Buffer | ArrayBuffer, isBinary: boolean) => {
      if (!isBinary) this.#sendLatched(client, Buffer.from(data as ArrayBuffer).toString('utf8'));
    });
    socket.on('close', () => {
      this.#clients.delete(client);
      logger.info('a Foxglove client left', { clients: this.#clients.size });
      if (this.#clients.size === 0) this.#rest();
    });
    logger.info('a Foxglove client connected', { clients: this.#clients.size, protocol: socket.protocol });
  }

  /** Somebody is there. */
  #wake(): void {
    const { recorder, log } = this.#parts;
    for (const channel of recorder.channels?.() ?? []) this.#channels.idOf(channel);
    if (this.#timer) return;
    this.#sentLog = log.lastNumber;
    this.#untap = recorder.tap((message) => this.#pass(message));
    this.#timer = this.#parts.clock.every(WATERMARK_MS, () => this.#tick(), { background: true });
  }

  /** No client is connected: nothing to do. */
  #rest(): void {
    this.#untap?.();
    this.#untap = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#subscribed.clear();
  }

  #pass(message: Message): void {
    const id = this.#channels.idOf(message.channel);
    if (!this.#subscribed.has(id)) return;
    // A socket may send it after the commit.
    this.#foxglove.sendMessage(id, message.receivedAt, withOwnData(message).data);
  }

  /** A late subscriber to a latched topic gets what a new ROS subscriber would get. */
  #sendLatched(client: BoundedSocket, text: string): void {
    const wanted = subscriptionsIn(text);
    if (wanted.size === 0) return;
    for (const message of this.#parts.recorder.latched?.() ?? []) {
      const subscription = wanted.get(this.#channels.idOf(message.channel));
      if (subscription === undefined) continue;
      const header = Buffer.alloc(13);
      header.writeUInt8(MESSAGE_DATA, 0);
      header.writeUInt32LE(subscription, 1);
      header.writeBigUInt64LE(message.receivedAt, 5);
      const { data } = message;
      client.sendMessage(header, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
  }

  #tick(): void {
    const { clock, log, recorder, logger } = this.#parts;
    try {
      const now = clock.now();
      if (this.#subscribed.has(this.#statusIds.watermark)) {
        this.#sendJson('watermark', watermarkMessage({ recorder: recorder.status() }, now), now);
      }
      if (this.#ticks++ % STATUS_EVERY === 0) this.#sendStatus(now);
      const fresh = log.lastNumber - this.#sentLog;
      this.#sentLog = log.lastNumber;
      if (fresh > 0)
        for (const line of log.recent().slice(-fresh)) this.#sendJson('log', logMessage(line), now);
    } catch (error) {
      logger.warn('the Foxglove server reported an error', { error });
    }
    for (const client of this.#clients) {
      if (!client.isStuck) continue;
      this.dropped++;
      logger.warn('disconnected a Foxglove client that was too slow for too long', { stuckMs: STUCK_MS });
      client.terminate();
    }
  }

  #sendStatus(now: bigint): void {
    const { watch, recorder } = this.#parts;
    for (const channel of recorder.channels?.() ?? []) this.#channels.idOf(channel);
    const { status, alerts } = this.#statusIds;
    if (!this.#subscribed.has(status) && !this.#subscribed.has(alerts)) return;
    const document = watch.status();
    this.#sendJson('status', statusMessage(document), now);
    this.#sendJson('alerts', alertsMessage(document), now);
  }

  #sendJson(topic: StatusTopic, message: unknown, now: bigint): void {
    const id = this.#statusIds[topic];
    if (this.#subscribed.has(id)) this.#foxglove.sendMessage(id, now, Buffer.from(JSON.stringify(message)));
  }
}

/** Subscription by channel id, from a client's `subscribe`. */
function subscriptionsIn(text: string): Map<number, number> {
  try {
    const message = JSON.parse(text) as {
      op?: unknown;
      subscriptions?: readonly { readonly id: number; readonly channelId: number }[];
    };
    const { op, subscriptions } = message;
    if (op !== 'subscribe' || !Array.isArray(subscriptions)) return new Map();
    const all = subscriptions as NonNullable<typeof message.subscriptions>;
    return new Map(all.map(({ id, channelId }) => [channelId, id >>> 0]));
  } catch {
    return new Map(); // the library has logged it already
  }
}
