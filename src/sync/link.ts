import type { Clock } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { LinkState } from '../core/link-state.js';
import { onAbort } from '../core/on-abort.js';
import { WakeUp } from './wake-up.js';
import {
  backoffMs,
  initialLink,
  nextLink,
  random01,
  type Backoff,
  type LinkEvent,
  type LinkView,
} from './link-state.js';

export interface LinkPorts {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Asks the store for its id; a rejection is a failure of the link. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  readonly onChange: () => void;
}

/** Runs the link state machine: it receives reports, resolves `whenOnline`, and probes in between. */
export class Link {
  #view: LinkView = initialLink;
  #since: bigint;
  #lastAnswerAt: bigint;
  #error: unknown;
  #latencyMs: number | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #wakeUp = new WakeUp();
  readonly #ports: LinkPorts;
  #backoff: Backoff;
  #idleProbeMs: number;

  constructor(ports: LinkPorts, backoff: Backoff, idleProbeMs: number) {
    this.#ports = ports;
    this.#backoff = backoff;
    this.#idleProbeMs = idleProbeMs;
    this.#since = ports.clock.now();
    this.#lastAnswerAt = ports.clock.monotonic();
  }

  /** Applies to the next failures, and to an idle link at once. */
  reconfigure(backoff: Backoff, idleProbeMs: number): void {
    this.#backoff = backoff;
    this.#idleProbeMs = idleProbeMs;
    this.#wakeUp.notify();
  }

  get state(): LinkState {
    if (this.#view.phase === 'online') return 'online';
    return this.#error === undefined ? 'unknown' : 'offline';
  }

  /** Wall clock of the last change between online and not online. */
  get since(): bigint {
    return this.#since;
  }

  /** Why it is offline. */
  get error(): unknown {
    return this.#error;
  }

  /** Time of the last answered probe. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  get nextRetryInMs(): number | undefined {
    if (this.#view.phase !== 'waiting') return undefined;
    return Math.max(0, Number(this.#view.retryAt - this.#ports.clock.monotonic()) / 1e6);
  }

  succeeded(): void {
    this.#lastAnswerAt = this.#ports.clock.monotonic();
    if (this.#view.phase !== 'online' || this.#view.failures > 0) this.#step({ kind: 'succeeded' });
  }

  failed(error: unknown): void {
    const known = this.#error !== undefined && describeError(this.#error) === describeError(error);
    this.#error = error;
    this.#step({ kind: 'failed', at: this.#ports.clock.monotonic() });
    if (!known) this.#ports.logger.warn('store offline', { error: describeError(error) });
  }

  /** Ends a backoff: there is reason to believe that the link works now. */
  retryNow(): void {
    if (this.#view.phase === 'waiting') this.#step({ kind: 'probe' });
  }

  /** Resolves while online; rejects with the signal's reason. */
  async whenOnline(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#view.phase !== 'online') {
      await new Promise<void>((resolve, reject) => {
        const done = (): void => {
          this.#waiting.delete(done);
          unlisten();
          resolve();
        };
        this.#waiting.add(done);
        const unlisten = onAbort(signal, () => {
          this.#waiting.delete(done);
          reject(signal.reason as Error);
        });
      });
      signal.throwIfAborted();
    }
  }

  /** Probes when there is reason to, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = this.#untilProbeMs();
      if (waitMs > 0) {
        await this.#wakeUp.wait(this.#ports.clock, waitMs, signal);
        continue;
      }
      this.#step({ kind: 'probe' });
      await this.#probe(signal);
    }
  }

  async #probe(signal: AbortSignal): Promise<void> {
    try {
      const askedAt = this.#ports.clock.monotonic();
      await this.#ports.probe(signal);
      this.#lastAnswerAt = this.#ports.clock.monotonic();
      this.#latencyMs = Math.round(Number(this.#lastAnswerAt - askedAt) / 1e4) / 100;
      this.#step({ kind: 'probe-answered' });
    } catch (error) {
      if (!signal.aborted) this.failed(error);
    }
  }

  #untilProbeMs(): number {
    const now = this.#ports.clock.monotonic();
    switch (this.#view.phase) {
      case 'unknown':
      case 'probing':
        return 0;
      case 'waiting':
        return Number(this.#view.retryAt - now) / 1e6;
      case 'online':
        return this.#idleProbeMs - Number(now - this.#lastAnswerAt) / 1e6;
    }
  }

  #step(event: LinkEvent): void {
    const before = this.#view;
    this.#view = nextLink(before, event, (failures) =>
      backoffMs(this.#backoff, failures, random01(this.#ports.random)),
    );
    const online = this.#view.phase === 'online';
    if (online !== (before.phase === 'online')) {
      this.#since = this.#ports.clock.now();
      if (online) {
        if (this.#error !== undefined) this.#ports.logger.info('store online');
        this.#error = undefined;
      }
    }
    if (online) for (const wake of [...this.#waiting]) wake();
    if (this.#view !== before) {
      this.#wakeUp.notify();
      this.#ports.onChange();
    }
  }
}
