import type { Clock, Timer } from '../core/clock.js';
import { defined } from '../core/defined.js';
import type { CommandAnswer } from '../uplink/protocol/robot-command.js';
import type { CommandOutcome } from './commands.js';

/** A robot answers within this time. A split waits for a commit, and a slow disk for minutes. */
const PATIENCE_MS = 30_000;
/** Commands of one robot that wait for an answer. */
const MAX_PENDING = 16;

interface Pending {
  readonly resolve: (outcome: CommandOutcome) => void;
  readonly timer: Timer;
}

/** The commands of one connection that have no answer yet. */
export class PendingCommands {
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `send` with the number of a new command; resolves with how it ended. */
  async give(send: (id: number) => void): Promise<CommandOutcome> {
    if (this.#pending.size >= MAX_PENDING)
      return { state: 'refused', message: `${MAX_PENDING} commands wait for an answer, try again later` };
    const id = ++this.#lastId;
    return await new Promise((resolve) => {
      const timer = this.#clock.after(PATIENCE_MS, () => {
        this.#pending.delete(id);
        const seconds = PATIENCE_MS / 1_000;
        resolve({ state: 'timed_out', message: `no answer within ${seconds} s; the robot may have done it` });
      });
      this.#pending.set(id, { resolve, timer });
      send(id);
    });
  }

  /** An answer to an unknown number is ignored: it came too late. */
  answered(id: number, { ok, code, message, result }: CommandAnswer): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.timer.cancel();
    const words = ok || code === '' ? message : `${message} (${code})`;
    pending.resolve({ state: ok ? 'done' : 'refused', message: words, ...defined({ result }) });
  }

  /** The connection has ended. */
  end(): void {
    for (const { resolve, timer } of this.#pending.values()) {
      timer.cancel();
      resolve({
        ...{ state: 'disconnected', message: 'the robot left before it answered; it may have done it' },
      });
    }
    this.#pending.clear();
  }
}
