import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import { encodeGenericEvent, type GenericEvent } from '../../src/core/generic-event.js';
import { sleep } from '../../src/testing/waiting.js';
import { freePort } from './free-port.js';
import { endChild } from './end-child.js';

const START_TIMEOUT_MS = 20_000;
const MB = 1024 * 1024;

/** Debian's nats-server with JetStream, on a free port of loopback, with a store of its own. */
export class NatsServer {
  #child: ChildProcess | undefined;
  readonly #connections: NatsConnection[] = [];

  /** More lines of its configuration file. */
  readonly #extra: string;
  /** How the tests themselves connect. */
  readonly #login: ConnectionOptions;

  private constructor(
    readonly port: number,
    readonly folder: string,
    extra: string,
    login: ConnectionOptions,
  ) {
    this.#extra = extra;
    this.#login = login;
  }

  static async start(extra = '', login: ConnectionOptions = {}): Promise<NatsServer> {
    const server = await NatsServer.prepare(extra, login);
    try {
      await server.run();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** With a port and a folder, and not running yet. */
  static async prepare(extra = '', login: ConnectionOptions = {}): Promise<NatsServer> {
    return new NatsServer(await freePort(), mkdtempSync(join(tmpdir(), 'holdfast-nats-')), extra, login);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async run(): Promise<void> {
    const config = join(this.folder, 'server.conf');
    writeFileSync(
      config,
      `listen: "${this.address}"\nmax_payload: 2097152\njetstream { store_dir: "${this.folder}/store" }\n${this.#extra}\n`,
    );
    const child = spawn('nats-server', ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    let said = '';
    child.stderr.on('data', (data: Buffer) => (said = `${said}${data.toString()}`.slice(-4_000)));
    let failure: Error | undefined;
    // Without a listener a program that is missing would end the whole run of tests.
    child.on('error', (error) => (failure = error));
    process.once('exit', () => child.kill('SIGKILL'));
    const end = Date.now() + START_TIMEOUT_MS;
    while (!(await accepts(this.port))) {
      if (failure) throw new Error(`nats-server cannot be started: ${failure.message}`);
      if (child.exitCode !== null || Date.now() > end) throw new Error(`nats-server does not start: ${said}`);
      await sleep(20);
    }
  }

  /** Ends the process as a power cut would; {@link run} starts it again on the same store. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await endChild(child);
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections.splice(0)) await connection.close().catch(() => undefined);
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A connection of the test's own; closed by {@link stop}. */
  async connect(): Promise<NatsConnection> {
    const connection = await connect({
      servers: this.address,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      ignoreAuthErrorAbort: true,
      ...this.#login,
    });
    this.#connections.push(connection);
    return connection;
  }

  async addStream(config: Partial<StreamConfig> & { name: string }): Promise<void> {
    const manager = await jetstreamManager(await this.connect());
    await manager.streams.add({ max_bytes: 256 * MB, ...config });
  }
}

export function event(number: number, more: Partial<GenericEvent> = {}): Uint8Array {
  return encodeGenericEvent({
    timestampNs: 1_795_000_000_000_000_000n + BigInt(number),
    eventTypeKey: 'test',
    workerId: 'worker-1',
    simulationId: 'sim-1',
    payloadFormatHint: 'text',
    eventPayload: Buffer.from(String(number)),
    ...more,
  });
}

/** Publishes payloads, many at a time, each confirmed by the stream. */
export async function publishAll(
  connection: NatsConnection,
  subject: string,
  payloads: readonly Uint8Array[],
): Promise<void> {
  const client = jetstream(connection, { timeout: 30_000 });
  for (let from = 0; from < payloads.length; from += 500) {
    await Promise.all(payloads.slice(from, from + 500).map((payload) => client.publish(subject, payload)));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
