import type { Clock, Timer } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { GroundBus } from './ground-bus.js';

const TELL_MS = 250;
/** A process that was silent for so long is gone: robots have to be with another one within 5 s. */
const SILENT_NS = 1_250_000_000n;
/** This process itself was held up: what others said in that time is still in its queue. */
const STALL_NS = 1_000_000_000n;

export interface WorkerWatchPorts {
  readonly bus: GroundBus;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Watches the other processes of a ground, and tells the robots of one that is gone. */
export class WorkerWatch implements Disposable {
  readonly #ports: WorkerWatchPorts;
  readonly #onGone: (worker: string) => void;
  readonly #heardAt = new Map<string, bigint>();
  readonly #timer: Timer;
  #lookedAt: bigint;

  constructor(onGone: (worker: string) => void, ports: WorkerWatchPorts) {
    this.#ports = ports;
    this.#onGone = onGone;
    this.#lookedAt = ports.clock.monotonic();
    ports.bus.listen('alive', (worker) => {
      if (!this.#heardAt.has(worker)) ports.logger.info('another process of the ground is there', { worker });
      this.#heardAt.set(worker, ports.clock.monotonic());
    });
    ports.bus.onReconnect(() => this.#forgive());
    this.#timer = ports.clock.every(TELL_MS, () => this.#look(), { background: true });
  }

  /** Processes that are there, without this one. */
  get others(): readonly string[] {
    return [...this.#heardAt.keys()];
  }

  /** Of all processes that are there, one is the first. */
  get isFirst(): boolean {
    return this.others.every((other) => other > this.#ports.bus.worker);
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #look(): void {
    const { bus, clock, logger } = this.#ports;
    const now = clock.monotonic();
    if (now - this.#lookedAt > STALL_NS || bus.nats.isClosed()) this.#forgive();
    this.#lookedAt = now;
    bus.tell('alive', {});
    for (const [worker, heardAt] of [...this.#heardAt]) {
      if (now - heardAt <= SILENT_NS) continue;
      this.#heardAt.delete(worker);
      logger.warn('a process of the ground is gone; its robots move', { worker });
      bus.tellGone(worker);
      this.#onGone(worker);
    }
  }

  /** Nobody could be heard: all are as if heard now. */
  #forgive(): void {
    const now = this.#ports.clock.monotonic();
    for (const worker of this.#heardAt.keys()) this.#heardAt.set(worker, now);
  }
}
