import { NS_PER_S, type Clock, type Timer } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { UplinkConnection } from '../link/uplink-transport.js';
import type { OutboxBatch, RemovedSamples } from '../protocol/outbox-codec.js';
import type { Waiting, WaitingSamples } from './outbox.js';
import type { Redaction } from './redaction.js';

export interface OutboxSenderParts {
  readonly outbox: WaitingSamples;
  readonly connection: Pick<UplinkConnection, 'waitingBytes'>;
  readonly send: (message: OutboxBatch | RemovedSamples) => void;
  /** The next tick of this run that belongs to the live stream, and not to the outbox. */
  readonly beforeTick: () => number;
  /** Samples may have been taken before the present rules. */
  readonly redaction: Pick<Redaction, 'isKnown' | 'version' | 'of'>;
  /** Time between two batches, milliseconds. */
  readonly paceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const BATCH_BYTES = 32 * 1024;
const BATCH_SAMPLES = 500;
/** Bytes that the ground has not confirmed: at first, and at most. */
const FIRST_OPEN_BYTES = 4 * 1024;
const MAX_OPEN_BYTES = 4 * BATCH_BYTES;
/** More bytes wait only on a slow link; the live stream goes first. */
const WAITING_MAX_BYTES = 64 * 1024;
/** Unconfirmed batches are sent again after this time: at first, at least and at most. */
const FIRST_PATIENCE_NS = 15n * NS_PER_S;
const MIN_PATIENCE_NS = 5n * NS_PER_S;
const MAX_PATIENCE_NS = 60n * NS_PER_S;
/** As many times as long as the last confirmation took: on a slow link, twice the bytes take twice the time. */
const PATIENCE_FACTOR = 4n;
/** After an error of the outbox. */
const ERROR_NS = 30n * NS_PER_S;
/** With nothing to send, the outbox is read so often. */
const IDLE_NS = 2n * NS_PER_S;
/** What is confirmed leaves the outbox together: each deletion costs as much as many samples. */
const REMOVE_NS = 2n * NS_PER_S;
/** The robot tells so often what its full outbox removed, until the ground has noted it. */
const TELL_NS = 10n * NS_PER_S;
const TOLD_AT_ONCE = 20;
const START = 's';

interface OpenBatch {
  readonly run: bigint;
  readonly firstTick: number;
  readonly bytes: number;
  readonly at: bigint;
}

/** Ticks that the ground has confirmed. */
interface Confirmed {
  readonly run: bigint;
  readonly firstTick: number;
  ticks: number;
  /** A removed piece is forgotten only by exactly its ticks. */
  readonly isPiece: boolean;
}

/**
 * Empties the outbox over one connection, oldest first, beside the live stream. As much is on its way as the ground
 * confirms: little at first, more with each confirmation, and little again after one that does not come. So a ground
 * to which a whole fleet returns at once is not sent what it cannot take, again and again.
 */
export class OutboxSender implements Disposable {
  readonly #parts: OutboxSenderParts;
  readonly #timer: Timer;
  #after = START;
  #catalogueKey = '';
  #open: OpenBatch[] = [];
  #openMaxBytes = FIRST_OPEN_BYTES;
  #patienceNs = FIRST_PATIENCE_NS;
  #isReading = false;
  #isClosed = false;
  /** Confirmed, and still in the outbox. */
  #confirmed: Confirmed[] = [];
  /** The removed pieces of which the ground heard last. */
  #told = new Set<string>();
  #nextAt = 0n;
  #tellAt = 0n;
  #removeAt = 0n;

  constructor(parts: OutboxSenderParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(parts.paceMs, () => void this.#next(), { background: true });
  }

  /** The ground has confirmed samples, which leave the outbox. */
  confirmed(run: bigint, firstTick: number, ticks: number): void {
    const { clock } = this.#parts;
    const found = this.#open.find((one) => one.run === run && one.firstTick === firstTick);
    if (found !== undefined) {
      this.#open = this.#open.filter((one) => one !== found);
      this.#openMaxBytes = Math.min(this.#openMaxBytes + found.bytes, MAX_OPEN_BYTES);
      this.#patienceNs = patienceAfter(clock.monotonic() - found.at);
    }
    const last = this.#confirmed.at(-1);
    const isPiece = this.#told.delete(pieceName({ run, firstTick, ticks }));
    const follows = last?.run === run && last.firstTick + last.ticks === firstTick;
    if (follows && !isPiece && !last.isPiece) last.ticks += ticks;
    else this.#confirmed.push({ run, firstTick, ticks, isPiece });
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timer.cancel();
    void this.#removeConfirmed();
  }

  async #removeConfirmed(): Promise<void> {
    const { outbox, logger, clock } = this.#parts;
    this.#removeAt = clock.monotonic() + REMOVE_NS;
    const confirmed = this.#confirmed;
    this.#confirmed = [];
    try {
      // All have their turn before the outbox closes.
      await Promise.all(confirmed.map(({ run, firstTick, ticks }) => outbox.remove(run, firstTick, ticks)));
    } catch (error) {
      logger.warn('confirmed samples stay in the outbox', { error: describeError(error) });
    }
  }

  async #tellRemoved(now: bigint): Promise<void> {
    if (now < this.#tellAt) return;
    this.#tellAt = now + TELL_NS;
    const { outbox, redaction } = this.#parts;
    const pieces = await outbox.removed(TOLD_AT_ONCE);
    if (this.#isClosed) return;
    this.#told = new Set(pieces.map(pieceName));
    for (const piece of pieces) {
      const { fields } = redaction.of(piece.catalogue.fields);
      // Without a field the ground has nothing to fill.
      if (fields.length === 0) this.confirmed(piece.run, piece.firstTick, piece.ticks);
      else this.#parts.send({ ...piece, catalogue: { ...piece.catalogue, fields } });
    }
  }

  async #next(): Promise<void> {
    const { outbox, connection, clock, logger, beforeTick, redaction } = this.#parts;
    const now = clock.monotonic();
    if (this.#isReading || now < this.#nextAt || connection.waitingBytes > WAITING_MAX_BYTES) return;
    if (!redaction.isKnown) return;
    const [oldest] = this.#open;
    if (oldest !== undefined && now - oldest.at > this.#patienceNs) {
      this.#open = [];
      this.#patienceNs = least(2n * this.#patienceNs, MAX_PATIENCE_NS);
      this.#openMaxBytes = FIRST_OPEN_BYTES;
      this.#after = START;
    }
    const freeBytes = this.#openMaxBytes - this.#open.reduce((sum, one) => sum + one.bytes, 0);
    if (freeBytes <= 0) return;
    this.#isReading = true;
    try {
      // What is confirmed must not be found again.
      if (this.#after === START || now >= this.#removeAt) await this.#removeConfirmed();
      await this.#tellRemoved(now);
      const found = await outbox.read(
        this.#after,
        beforeTick(),
        Math.min(BATCH_BYTES, freeBytes),
        BATCH_SAMPLES,
      );
      if (this.#isClosed) return;
      if (found === undefined) {
        this.#nextAt = now + IDLE_NS;
        // What was sent and is not confirmed comes again, once nothing is on its way.
        if (this.#open.length === 0) this.#after = START;
        return;
      }
      this.#after = found.end;
      this.#sendBatch(found, now);
    } catch (error) {
      this.#nextAt = now + ERROR_NS;
      logger.warn('the outbox cannot be read', { error: describeError(error) });
    } finally {
      this.#isReading = false;
    }
  }

  #sendBatch({ run, samples, bytes, catalogueKey, catalogue }: Waiting, now: bigint): void {
    const { redaction, send } = this.#parts;
    const firstTick = samples[0]!.tick;
    const lastTick = samples[samples.length - 1]!.tick;
    const { fields, values } = redaction.of(catalogue.fields);
    if (fields.length === 0) {
      this.confirmed(run, firstTick, lastTick + 1 - firstTick);
      return;
    }
    this.#open.push({ run, firstTick, bytes, at: now });
    const key = `${catalogueKey} ${redaction.version}`;
    const isKnown = key === this.#catalogueKey;
    this.#catalogueKey = key;
    const redacted = samples.map((sample) => ({ ...sample, values: [...values(sample.values)] }));
    send({
      kind: 'outbox',
      run,
      samples: redacted,
      ...(isKnown ? {} : { catalogue: { ...catalogue, fields } }),
    });
  }
}

function pieceName({ run, firstTick, ticks }: Pick<RemovedSamples, 'run' | 'firstTick' | 'ticks'>): string {
  return `${run} ${firstTick} ${ticks}`;
}

function patienceAfter(confirmedNs: bigint): bigint {
  const patienceNs = PATIENCE_FACTOR * confirmedNs;
  return patienceNs < MIN_PATIENCE_NS ? MIN_PATIENCE_NS : least(patienceNs, MAX_PATIENCE_NS);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
