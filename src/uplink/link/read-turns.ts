import type { Clock } from '../../core/clock.js';

/** What can stop reading, such as a WebSocket. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/** Messages may take so long before everything else of the process has its turn. */
const TURN_NS = 50_000_000n;
/** Connections that read again at once. */
const GROUP = 64;

/**
 * Shares the time of the process between the connections of a fleet and everything else. One turn of the event loop
 * reads all connections that have something: when the fleet sends more than the process can take, a turn grows with
 * what waits, and answers of the database come only between two turns. So when messages take longer than a turn may,
 * all connections pause, and read again in groups, those first that had no turn. What they do not read stays with TCP,
 * and the robots notice that.
 */
export class ReadTurns {
  readonly #clock: Pick<Clock, 'monotonic' | 'soon'>;
  readonly #reading = new Set<Pausable>();
  #waiting: Pausable[] = [];
  /** Of this turn, in their order. */
  readonly #served = new Set<Pausable>();
  #beganAt: bigint | undefined;

  constructor(clock: Pick<Clock, 'monotonic' | 'soon'>) {
    this.#clock = clock;
  }

  /** A connection that reads. */
  add(connection: Pausable): void {
    this.#reading.add(connection);
  }

  /** The connection has ended. Idempotent. */
  remove(connection: Pausable): void {
    this.#served.delete(connection);
    if (!this.#reading.delete(connection)) this.#waiting = this.#waiting.filter((one) => one !== connection);
  }

  /** Call it after each message of a connection. */
  took(connection: Pausable): void {
    this.#served.add(connection);
    const now = this.#clock.monotonic();
    if (this.#beganAt === undefined) {
      this.#beganAt = now;
      this.#clock.soon(() => this.#next());
    } else if (now - this.#beganAt > TURN_NS && this.#reading.size > 0) this.#pauseAll();
  }

  #pauseAll(): void {
    const unserved: Pausable[] = [];
    const served: Pausable[] = [];
    for (const one of this.#reading) {
      one.pause();
      (this.#served.has(one) ? served : unserved).push(one);
    }
    this.#reading.clear();
    this.#waiting = [...unserved, ...this.#waiting, ...served];
  }

  #next(): void {
    this.#beganAt = undefined;
    this.#served.clear();
    if (this.#waiting.length === 0) return;
    for (const one of this.#waiting.splice(0, GROUP)) {
      this.#reading.add(one);
      one.resume();
    }
    if (this.#waiting.length === 0) return;
    this.#beganAt = this.#clock.monotonic();
    this.#clock.soon(() => this.#next());
  }
}
