import { describeError, HoldfastError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import {
  connectToNats,
  hasNoListener,
  natsAddress,
  type NatsConnection,
  type NatsPlace,
} from '../uplink/link/nats-place.js';
import { uplinkSubjects } from '../uplink/link/nats-subjects.js';

/** What the processes of a ground tell each other: `holdfast.ground.<what>.<worker>`. */
export type BusTopic = 'alive' | 'rows' | 'hello';

/** What a process of a ground asks another one. */
export type BusQuestion = 'robot' | 'robots' | 'command' | 'there';

const ASK_TIMEOUT_MS = 1_000;

const subjectOf = (what: BusTopic | BusQuestion, worker: string): string =>
  `holdfast.ground.${what}.${worker}`;

/**
 * The connection of one process of a ground to NATS. What comes from the other processes is trusted: the server
 * must let only them use the subjects `holdfast.ground.>`.
 */
export class GroundBus implements AsyncDisposable {
  readonly nats: NatsConnection;
  /** Names this process: eight hexadecimal digits. */
  readonly worker: string;
  readonly address: string;
  readonly #logger: Logger;

  private constructor(nats: NatsConnection, worker: string, address: string, logger: Logger) {
    this.nats = nats;
    this.worker = worker;
    this.address = address;
    this.#logger = logger;
  }

  /** Rejects with `GROUND_BUS_UNREACHABLE`. */
  static async connect(place: NatsPlace, worker: string, logger: Logger): Promise<GroundBus> {
    const address = natsAddress(place);
    try {
      const nats = await connectToNats(place, `holdfast ground ${worker}`, { keeps: true });
      const bus = new GroundBus(nats, worker, address, logger);
      bus.answer('there', () => true);
      return bus;
    } catch (cause) {
      const message = `cannot connect to NATS at ${address}: ${describeError(cause)}`;
      throw new HoldfastError('GROUND_BUS_UNREACHABLE', message, { cause, facts: { address } });
    }
  }

  /** Tells all other processes. */
  tell(what: BusTopic, message: object): void {
    if (!this.nats.isClosed()) this.nats.publish(subjectOf(what, this.worker), JSON.stringify(message));
  }

  /** Listens to the other processes. */
  listen(what: BusTopic, take: (worker: string, message: unknown) => void): void {
    this.nats.subscribe(subjectOf(what, '*'), {
      callback: (error, message) => {
        const worker = message.subject.split('.').at(-1) ?? '';
        if (error !== null || worker === this.worker) return;
        try {
          take(worker, message.json());
        } catch (reason) {
          this.#logger.warn('a message of the bus is unusable', { what, error: describeError(reason) });
        }
      },
    });
  }

  /** Asks another process. Rejects if it does not answer in time. */
  async ask(what: BusQuestion, worker: string, message: object, timeoutMs: number): Promise<unknown> {
    const text = JSON.stringify(message);
    return (await this.nats.request(subjectOf(what, worker), text, { timeout: timeoutMs })).json();
  }

  /** False: the server says that nobody listens there. A process that is slow to answer may be connected. */
  async isConnected(worker: string): Promise<boolean> {
    try {
      await this.ask('there', worker, {}, ASK_TIMEOUT_MS);
      return true;
    } catch (error) {
      return !hasNoListener(error);
    }
  }

  /** Answers the questions of other processes. */
  answer(what: BusQuestion, handle: (message: unknown) => unknown): void {
    this.nats.subscribe(subjectOf(what, this.worker), {
      callback: (error, message) => {
        if (error !== null) return;
        Promise.resolve()
          .then(() => handle(message.json()))
          .then((answer) => message.respond(JSON.stringify(answer ?? null)))
          .catch((reason: unknown) => {
            this.#logger.warn('a question of the bus has no answer', { what, error: describeError(reason) });
          });
      },
    });
  }

  /** Tells the robots of a process that it is gone. */
  tellGone(worker: string): void {
    if (!this.nats.isClosed()) this.nats.publish(uplinkSubjects.ended(worker));
  }

  /** Calls after each new connection to NATS. */
  onReconnect(run: () => void): void {
    void (async () => {
      for await (const { type } of this.nats.status()) if (type === 'reconnect') run();
    })();
  }

  /** Sends what waits. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.nats.isClosed()) await this.nats.drain().catch(() => this.nats.close());
  }
}
