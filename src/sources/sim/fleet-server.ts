import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.js';
import { HoldfastError, describeError } from '../../core/errors.js';
import { randomHex, type RandomBytes } from '../../core/identity.js';
import { silentLogger, type Logger } from '../../core/logger.js';
import { deferred } from '../deferred.js';
import { settledBefore } from '../source-runner.js';
import { LedgerBook, type FleetLedger } from './fleet-ledger.js';
import { FleetListener } from './fleet-listener.js';
import {
  FLEET_PROTOCOL_VERSION,
  Frame,
  FrameReader,
  decodeAck,
  decodeChannels,
  decodeHello,
  encodeChannelList,
  encodeFrame,
  encodeJson,
  type FleetRole,
  type FrameParts,
} from './fleet-protocol.js';
import type { Generator } from '../../simulation/generator.js';
import { Pacer } from '../pacer.js';
import type { SimPlan } from './sim-options.js';

export interface FleetServerOptions {
  /** What is simulated: `readSimOptions('robots=3&seed=1')`. Its speed must be finite. */
  readonly plan: SimPlan;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: 0, a free port. */
  readonly port?: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Maximum unconfirmed bytes; further messages count as skipped. Default: 16 MiB. */
  readonly bufferMaxBytes?: number;
  /** Start the simulated time with the first listener instead of now. Default: false. */
  readonly waitForListener?: boolean;
  /** Called when a control connection requests the end of the process. */
  readonly onExit?: () => void;
}

const BUFFER_MAX_BYTES = 16 * 1024 * 1024;
const MAX_CONNECTIONS = 16;
const HELLO_TIMEOUT_MS = 5_000;
const DRAIN_TIMEOUT_MS = 10_000;

/** A fleet that numbers its messages and sends them to one listener at a time. */
export class FleetServer implements AsyncDisposable {
  readonly fleetId: string;
  readonly #options: FleetServerOptions;
  readonly #logger: Logger;
  readonly #generator: Generator;
  readonly #book: LedgerBook;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #stop = new AbortController();
  readonly #firstListener = deferred();
  #listener: FleetListener | undefined;
  #state: FleetLedger['state'] = 'waiting';
  #connections = 0;
  #isClosing = false;
  #producing: Promise<void> = Promise.resolve();

  private constructor(options: FleetServerOptions) {
    this.#options = options;
    this.fleetId = randomHex(options.random, 16);
    this.#logger = options.logger ?? silentLogger;
    this.#generator = options.plan.generator(options.clock.now());
    this.#book = new LedgerBook(this.#generator);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws HoldfastError CONFIG_INVALID if the plan has no finite speed. */
  static async start(options: FleetServerOptions): Promise<FleetServer> {
    if (options.plan.speed === Infinity) {
      throw new HoldfastError(
        'CONFIG_INVALID',
        'rate=max: a fleet process has a clock of its own; use 1x or so',
      );
    }
    const server = new FleetServer(options);
    server.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(server.#server, 'listening');
    server.#producing = server.#produce();
    return server;
  }

  /** Where it listens. */
  get address(): { readonly host: string; readonly port: number } {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** The URI for a recorder's source. */
  get uri(): string {
    const { host, port } = this.address;
    return `sim://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  ledger(): FleetLedger {
    return this.#book.read({
      fleetId: this.fleetId,
      state: this.#state,
      connections: this.#connections,
      connected: this.#listener !== undefined,
    });
  }

  /** Resolves when the production has ended: the duration is over, or it was stopped. */
  async ended(): Promise<void> {
    await this.#producing;
  }

  /**
   * Stops the production, reports it to the listener and waits until it has confirmed everything, is gone, or
   * ten seconds have passed. A later client receives the final numbers.
   */
  async stop(): Promise<FleetLedger> {
    this.#stop.abort();
    await this.#producing;
    const giveUpAt = this.#options.clock.monotonic() + BigInt(DRAIN_TIMEOUT_MS) * 1_000_000n;
    while (this.#listener?.isDrained === false && this.#options.clock.monotonic() < giveUpAt) {
      await this.#options.clock.sleep(5);
    }
    return this.ledger();
  }

  /**
   * Closes everything at once. A listener learns about an end only from {@link stop}; otherwise it
   * reconnects.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stop.abort();
    await this.#producing;
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #produce(): Promise<void> {
    const { plan, clock, waitForListener } = this.#options;
    const { signal } = this.#stop;
    if (waitForListener === true) await settledBefore(this.#firstListener.promise, signal);
    this.#state = 'running';
    const pacer = new Pacer(clock, plan.speed);
    const endUs = plan.durationMs === undefined ? Infinity : plan.durationMs * 1_000;
    while (this.#generator.elapsedUs < endUs && (await pacer.until(this.#generator.nextUs, signal))) {
      const messages = this.#generator.step((channel) => this.#listener?.wants(channel) ?? false);
      this.#listener?.send(messages);
    }
    this.#state = 'stopped';
    if (!this.#isClosing) this.#listener?.end();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    const connection = new Connection(socket, (frame) => this.#receive(connection, frame));
    const timer = this.#options.clock.after(HELLO_TIMEOUT_MS, () => {
      if (connection.role === undefined) connection.fail('no hello');
    });
    socket.on('error', (error) => this.#logger.debug('fleet connection failed', { error }));
    socket.on('close', () => {
      timer.cancel();
      this.#sockets.delete(socket);
      if (connection.listener !== undefined && connection.listener === this.#listener) {
        this.#listener = undefined;
        this.#logger.info('fleet listener gone');
      }
    });
  }

  #receive(connection: Connection, { kind, body }: FrameParts): void {
    if (connection.role === undefined) {
      this.#welcome(connection, kind, body);
      return;
    }
    if (connection.role === 'control') {
      this.#control(connection, kind);
      return;
    }
    if (kind === Frame.SUBSCRIBE && connection.listener === undefined) this.#attach(connection, body);
    else if (kind === Frame.ACK && connection.listener?.confirm(decodeAck(body)) === true) return;
    else connection.fail(`frame ${kind} out of place`);
  }

  #welcome(connection: Connection, kind: number, body: Uint8Array): void {
    const hello = kind === Frame.HELLO ? decodeHello(body) : undefined;
    if (hello === undefined) {
      connection.fail('no hello');
      return;
    }
    if (hello.version !== FLEET_PROTOCOL_VERSION) {
      connection.refuse(`protocol version ${hello.version}; this fleet speaks ${FLEET_PROTOCOL_VERSION}`);
      return;
    }
    if (hello.role === 'listener' && this.#listener !== undefined) {
      connection.refuse('another listener is connected');
      return;
    }
    connection.role = hello.role;
    connection.socket.write(
      encodeJson(Frame.WELCOME, { version: FLEET_PROTOCOL_VERSION, fleetId: this.fleetId }),
    );
    if (hello.role === 'listener') connection.socket.write(encodeChannelList(this.#generator.channels));
  }

  #attach(connection: Connection, body: Uint8Array): void {
    if (this.#listener !== undefined) {
      connection.refuse('another listener is connected');
      return;
    }
    const { bufferMaxBytes = BUFFER_MAX_BYTES, clock } = this.#options;
    const channels = decodeChannels(body);
    const listener = new FleetListener(
      connection.socket,
      this.#generator,
      this.#book,
      bufferMaxBytes,
      channels,
    );
    this.#listener = listener;
    connection.listener = listener;
    this.#connections++;
    this.#logger.info('fleet listener connected', { channels: channels.length });
    listener.begin(clock.now());
    if (this.#state === 'stopped') listener.end();
    // Transient-local: a late listener still receives them, as new messages so that the numbering stays
    // simple. Before the first step there is nothing to repeat.
    else if (this.#generator.elapsedUs > 0) {
      listener.send(this.#generator.republish((channel) => listener.wants(channel)));
    }
    this.#firstListener.resolve();
  }

  #control(connection: Connection, kind: number): void {
    const { socket } = connection;
    switch (kind) {
      case Frame.LEDGER_REQUEST:
        socket.write(encodeJson(Frame.LEDGER, this.ledger()));
        return;
      case Frame.STOP_REQUEST:
        void this.stop().then((ledger) => socket.writable && socket.write(encodeJson(Frame.LEDGER, ledger)));
        return;
      case Frame.EXIT_REQUEST:
        socket.write(encodeFrame(Frame.DONE));
        this.#options.onExit?.();
        return;
      default:
        connection.fail(`unknown request ${kind}`);
    }
  }
}

/** One socket of the fleet. */
class Connection {
  readonly socket: Socket;
  role: FleetRole | undefined;
  listener: FleetListener | undefined;

  constructor(socket: Socket, receive: (frame: FrameParts) => void) {
    this.socket = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      try {
        for (const frame of reader.push(chunk)) if (!socket.destroyed) receive(frame);
      } catch (error) {
        this.fail(describeError(error));
      }
    });
  }

  /** The peer may connect again later, with another listener or version. */
  refuse(reason: string): void {
    this.socket.end(encodeJson(Frame.REFUSED, { reason }));
  }

  fail(reason: string): void {
    this.socket.destroy(new Error(reason));
  }
}
