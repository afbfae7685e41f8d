import { NS_PER_S, type Clock, type Timer } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { UplinkConnection } from '../link/uplink-transport.js';
import type { OutboxBatch, RemovedSamples } from '../protocol/outbox-codec.js';
import type { Outbox } from './outbox.js';

export interface OutboxSenderParts {
  readonly outbox: Outbox;
  readonly connection: Pick<UplinkConnection, 'waitingBytes'>;
  readonly send: (message: OutboxBatch | RemovedSamples) => void;
  /** The next tick of this run that belongs to the live stream, and not to the outbox. */
  readonly beforeTick: () => number;
  /** Time between two batches, milliseconds. */
  readonly paceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const BATCH_BYTES = 32 * 1024;
const BATCH_SAMPLES = 500;
/** Batches that the ground has not confirmed. */
const MAX_OPEN = 4;
/** More bytes wait only on a slow link; the live stream goes first. */
const WAITING_MAX_BYTES = 64 * 1024;
/** Unconfirmed batches are sent again after this time. */
const PATIENCE_NS = 30n * NS_PER_S;
/** With nothing to send, the outbox is read so often. */
const IDLE_NS = NS_PER_S;
/** The robot tells so often what its full outbox removed, until the ground has noted it. */
const TELL_NS = 10n * NS_PER_S;
const TOLD_AT_ONCE = 20;
const START = 's';

/** Empties the outbox over one connection, oldest first, beside the live stream. */
export class OutboxSender implements Disposable {
  readonly #parts: OutboxSenderParts;
  readonly #timer: Timer;
  #after = START;
  #catalogueKey = '';
  #open: { readonly run: bigint; readonly firstTick: number; readonly at: bigint }[] = [];
  #isReading = false;
  #isClosed = false;
  #nextAt = 0n;
  #tellAt = 0n;

  constructor(parts: OutboxSenderParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(parts.paceMs, () => void this.#next(), { background: true });
  }

  /** The ground has confirmed samples, which leave the outbox. */
  confirmed(run: bigint, firstTick: number, ticks: number): void {
    const { outbox, logger } = this.#parts;
    this.#open = this.#open.filter((one) => one.run !== run || one.firstTick !== firstTick);
    outbox.remove(run, firstTick, ticks).catch((error: unknown) => {
      logger.warn('confirmed samples stay in the outbox', { error: describeError(error) });
    });
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timer.cancel();
  }

  async #tellRemoved(now: bigint): Promise<void> {
    if (now < this.#tellAt) return;
    this.#tellAt = now + TELL_NS;
    for (const one of await this.#parts.outbox.removed(TOLD_AT_ONCE)) {
      if (!this.#isClosed) this.#parts.send(one);
    }
  }

  async #next(): Promise<void> {
    const { outbox, connection, clock, logger, beforeTick } = this.#parts;
    const now = clock.monotonic();
    if (this.#isReading || now < this.#nextAt || connection.waitingBytes > WAITING_MAX_BYTES) return;
    const [oldest] = this.#open;
    if (oldest !== undefined && now - oldest.at > PATIENCE_NS) {
      this.#open = [];
      this.#after = START;
    }
    if (this.#open.length >= MAX_OPEN) return;
    this.#isReading = true;
    try {
      await this.#tellRemoved(now);
      const found = await outbox.read(this.#after, beforeTick(), BATCH_BYTES, BATCH_SAMPLES);
      if (this.#isClosed) return;
      if (found === undefined) {
        this.#nextAt = now + IDLE_NS;
        // What was sent and is not confirmed comes again, once nothing is on its way.
        if (this.#open.length === 0) this.#after = START;
        return;
      }
      const { run, samples, catalogueKey, catalogue, end } = found;
      this.#after = end;
      this.#open.push({ run, firstTick: samples[0]!.tick, at: now });
      const isKnown = catalogueKey === this.#catalogueKey;
      this.#catalogueKey = catalogueKey;
      this.#parts.send({ kind: 'outbox', run, samples, ...(isKnown ? {} : { catalogue }) });
    } catch (error) {
      this.#nextAt = now + PATIENCE_NS;
      logger.warn('the outbox cannot be read', { error: describeError(error) });
    } finally {
      this.#isReading = false;
    }
  }
}
