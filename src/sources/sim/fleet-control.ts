import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import { deferred, type Deferred } from '../deferred.js';
import type { FleetLedger } from './fleet-ledger.js';
import { decodeJson, encodeFrame, encodeHello, Frame, FrameReader } from './fleet-protocol.js';
import type { FleetAddress } from './fleet-session.js';

/** Queries and commands a fleet process beside its listener. Requests are answered one at a time. */
export class FleetControl implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #waiting: Deferred<Uint8Array>[] = [];
  #failure: HoldfastError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      for (const { kind, body } of reader.push(chunk)) {
        if (kind !== Frame.WELCOME) this.#waiting.shift()?.resolve(body);
      }
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(undefined));
  }

  /** @throws HoldfastError SOURCE_DISCONNECTED if the fleet does not answer. */
  static async connect(address: FleetAddress): Promise<FleetControl> {
    const socket = connect({ ...address, noDelay: true });
    try {
      await once(socket, 'connect');
    } catch (error) {
      throw new HoldfastError('SOURCE_DISCONNECTED', `no fleet at ${address.host}:${address.port}`, {
        cause: error,
      });
    }
    socket.write(encodeHello('control'));
    return new FleetControl(socket);
  }

  async ledger(): Promise<FleetLedger> {
    return decodeJson(await this.#ask(Frame.LEDGER_REQUEST)) as FleetLedger;
  }

  /** Ends the production; resolves with the final ledger once the listener has confirmed everything. */
  async stop(): Promise<FleetLedger> {
    return decodeJson(await this.#ask(Frame.STOP_REQUEST)) as FleetLedger;
  }

  /** Ends the fleet process. */
  async exit(): Promise<void> {
    await this.#ask(Frame.EXIT_REQUEST);
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    this.#socket.destroy();
    await once(this.#socket, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #ask(kind: number): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const answer = deferred<Uint8Array>();
    this.#waiting.push(answer);
    this.#socket.write(encodeFrame(kind));
    return answer.promise;
  }

  #fail(cause: unknown): void {
    this.#failure ??= new HoldfastError('SOURCE_DISCONNECTED', 'the fleet closed its control connection', {
      ...defined({ cause }),
    });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
