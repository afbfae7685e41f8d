import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import wsProtocol, { type Channel } from '@foxglove/ws-protocol';
import { WebSocketServer, type WebSocket } from 'ws';
import { FleetTypes } from './fleet-types.js';

// A CommonJS package whose names Node cannot see from a module.
const { FoxgloveServer } = wsProtocol;

type ServerSocket = Parameters<InstanceType<typeof FoxgloveServer>['handleConnection']>[0];

export type NewChannel = Omit<Channel, 'id'>;

/** The reference server of the protocol on a free loopback port. */
export class FoxgloveTestServer {
  readonly foxglove = new FoxgloveServer({ name: 'test', capabilities: ['time'] });
  readonly sockets = new Set<WebSocket>();
  /** Subprotocols that clients offered. */
  readonly offered: string[][] = [];
  readonly #server: WebSocketServer;
  #timer: NodeJS.Timeout | undefined;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on('connection', (socket, request) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      this.foxglove.handleConnection(socket as unknown as ServerSocket, String(request.socket.remotePort));
    });
    this.foxglove.on('error', () => {});
  }

  static async start(port = 0): Promise<FoxgloveTestServer> {
    const made: { server?: FoxgloveTestServer } = {};
    const server = new WebSocketServer({
      ...{ port, host: '127.0.0.1' },
      handleProtocols: (protocols) => {
        made.server?.offered.push([...protocols]);
        return made.server?.foxglove.handleProtocols(protocols) ?? false;
      },
    });
    made.server = new FoxgloveTestServer(server);
    await once(server, 'listening');
    return made.server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get uri(): string {
    return `foxglove:ws://127.0.0.1:${this.port}`;
  }

  /** A string channel unless another encoding is given. */
  add(channel: Partial<NewChannel> & { topic: string }): number {
    const base = { encoding: '', schemaName: '', schema: '' };
    const type = channel.encoding === undefined ? FleetTypes.string : base;
    return this.foxglove.addChannel({ ...type, ...channel });
  }

  send(channel: number, payload: Uint8Array, timestamp = 1_700_000_000_000_000_000n): void {
    this.foxglove.sendMessage(channel, timestamp, payload);
  }

  /** Sends numbered messages on the channels in turn until stopped. */
  chatter(channels: readonly number[], perTick = 4): void {
    let count = 0;
    this.#timer = setInterval(() => {
      for (let i = 0; i < perTick; i++, count++) {
        const payload = Buffer.alloc(64 + (count % 50), count);
        this.send(
          channels[count % channels.length]!,
          payload,
          BigInt(1_700_000_000 + count) * 1_000_000_000n,
        );
      }
    }, 2);
  }

  quiet(): void {
    clearInterval(this.#timer);
  }

  async close(): Promise<void> {
    this.quiet();
    for (const socket of this.sockets) socket.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
