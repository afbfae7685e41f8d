import type { Clock } from '../core/clock.js';
import type { Stored } from '../uplink/protocol/outbox-codec.js';

/**
 * Ticks of the live telemetry of one robot that became durable. One statement of the history stores many of them, so the
 * robot gets one message for those that follow each other, and removes them from its outbox at once.
 */
export class StoredTicks {
  readonly #clock: Pick<Clock, 'soon'>;
  readonly #send: (stored: Stored) => void;
  #ranges: { kind: 'stored'; run: bigint; firstTick: number; ticks: number }[] = [];

  /** @param send - Called in a later turn. */
  constructor(clock: Pick<Clock, 'soon'>, send: (stored: Stored) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  add(run: bigint, firstTick: number, ticks: number): void {
    const last = this.#ranges.at(-1);
    if (last?.run === run && last.firstTick + last.ticks === firstTick) {
      last.ticks += ticks;
      return;
    }
    if (last === undefined) this.#clock.soon(() => this.#flush());
    this.#ranges.push({ kind: 'stored', run, firstTick, ticks });
  }

  #flush(): void {
    const ranges = this.#ranges;
    this.#ranges = [];
    for (const one of ranges) this.#send(one);
  }
}
