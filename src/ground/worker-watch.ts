import type { Clock, Timer } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { GroundBus } from './ground-bus.js';

const TELL_MS = 250;
/** After so long the server is asked whether the process is still connected: a killed one is not. */
const SUSPECT_NS = 400_000_000n;
/** A process that was silent for so long is gone even if it is connected: robots must be with another one within 5 s. */
const SILENT_NS = 1_250_000_000n;
/** This process itself was held up: what others said in that time is still in its queue. */
const STALL_NS = 1_000_000_000n;
/** Then every process is as if heard so much later. */
const FORGIVEN_NS = 1_000_000_000n;

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
    const { bus, clock } = this.#ports;
    const now = clock.monotonic();
    if (now - this.#lookedAt > STALL_NS || bus.nats.isClosed()) this.#forgive();
    this.#lookedAt = now;
    bus.tell('alive', {});
    for (const [worker, heardAt] of [...this.#heardAt]) {
      if (now - heardAt > SILENT_NS) this.#lose(worker);
      else if (now - heardAt > SUSPECT_NS) void this.#suspect(worker, heardAt);
    }
  }

  /** What a process says meanwhile counts more. */
  async #suspect(worker: string, heardAt: bigint): Promise<void> {
    const isConnected = await this.#ports.bus.isConnected(worker);
    if (!isConnected && this.#heardAt.get(worker) === heardAt) this.#lose(worker);
  }

  #lose(worker: string): void {
    const { bus, logger } = this.#ports;
    this.#heardAt.delete(worker);
    logger.warn('a process of the ground is gone; its robots move', { worker });
    bus.tellGone(worker);
    this.#onGone(worker);
  }

  /** Nobody could be heard. After an outage of NATS the others need their time to connect again. */
  #forgive(): void {
    const now = this.#ports.clock.monotonic() + FORGIVEN_NS;
    for (const worker of this.#heardAt.keys()) this.#heardAt.set(worker, now);
  }
}
