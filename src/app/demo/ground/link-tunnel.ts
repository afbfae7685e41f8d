import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** The link of one robot to the ground: a forwarder on a port of loopback that can be cut. */
export class LinkTunnel implements AsyncDisposable {
  #isCut = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #host: string;

  private constructor(server: Server, target: () => number, host: string) {
    this.#server = server;
    this.#host = host;
    server.on('connection', (socket) => this.#forward(socket, target()));
  }

  /** Forwards to a port of an address of this machine; the port is asked for with each connection. */
  static async open(target: () => number, host = '127.0.0.1'): Promise<LinkTunnel> {
    const server = createServer();
    const tunnel = new LinkTunnel(server, target, host);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return tunnel;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Every connection breaks, with what was on its way, and new ones break at once. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #forward(socket: Socket, port: number): void {
    if (this.#isCut) {
      socket.destroy();
      return;
    }
    const ground = createConnection(port, this.#host);
    for (const [one, other] of [
      [socket, ground],
      [ground, socket],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}

/** A port of loopback that nothing listens on now. */
export async function unusedPort(): Promise<number> {
  await using probe = await LinkTunnel.open(() => 0);
  return probe.port;
}
