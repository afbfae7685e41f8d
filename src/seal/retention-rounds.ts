import { NS_PER_MS } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { SegmentId } from '../core/segment-id.js';
import { ConfirmationRequests, type ConfirmationPorts } from './confirmation-requests.js';
import { Evictor, type Choice, type Evicted, type EvictPorts } from './retention-evict.js';
import { planEvictions, type EvictionPlan, type Shortage, type WhenFull } from './retention-plan.js';
import type { SealedIndex, SealedObject } from './sealed-index.js';

export interface EvictionCounts {
  /** Segments evicted since the start of this process. */
  readonly segments: number;
  /** Those of them that no store is known to hold. */
  readonly droppedSegments: number;
  readonly droppedMessages: number;
}

/** Number of segments evicted before the disk is checked again. */
const BATCH = 64;
/** Manifests read per step while space is short and not all are known yet. */
const READ_STEP = 2000;
const INTERRUPTED = 'begun before a crash or a full disk';
const S = 1_000_000_000n;
/** How long to leave a segment alone after a failed eviction. */
const BLOCKED_NS = 60n * S;
/**
 * Modification times have a coarse step, and those of network folders can be wrong: receipts are listed at
 * least this often.
 */
const RECEIPTS_NS = 30n * S;

export type RoundPorts = EvictPorts & ConfirmationPorts;

/** Turns a shortage into evictions, a bounded number at a time. */
export class EvictionRounds {
  counts: EvictionCounts = { segments: 0, droppedSegments: 0, droppedMessages: 0 };
  readonly #evictor: Evictor;
  readonly #requests: ConfirmationRequests;
  readonly #blocked = new Map<string, bigint>();
  /** An earlier eviction may need to be finished. */
  #unfinished = true;
  #receiptsSeen: { mtime: bigint; at: bigint } | undefined;

  readonly #ports: RoundPorts;
  readonly #index: SealedIndex;

  constructor(
    ports: RoundPorts,
    index: SealedIndex,
    /** Both may change between rounds. */
    public whenFull: WhenFull,
    public confirmMaxAgeMs: number,
  ) {
    this.#ports = ports;
    this.#index = index;
    this.#evictor = new Evictor(ports);
    this.#requests = new ConfirmationRequests(ports);
  }

  /** Finishes evictions that a crash or a refusing disk left incomplete. */
  async finishInterrupted(): Promise<void> {
    if (!this.#unfinished) return;
    const { evicted, left } = await this.#evictor.finishInterrupted(INTERRUPTED);
    this.#unfinished = left > 0;
    this.#note(evicted, INTERRUPTED);
  }

  /** The segments to evict for a shortage; segments of `context` are never among them. */
  async plan(context: ReadonlySet<SegmentId>, bytes: number): Promise<EvictionPlan> {
    await this.#lookForReceipts();
    for (;;) {
      const plan = planEvictions({
        objects: this.#index.oldestFirst(),
        mayGo: (object) => this.#mayGo(object, context),
        bytes,
        // The order among segments without a receipt is only known once all of them are.
        whenFull: this.#index.complete ? this.whenFull : 'stop',
        limit: BATCH,
      });
      if (plan.shortBytes === 0 || plan.verified.length > 0 || this.#index.complete) return plan;
      await this.#index.readMore(READ_STEP);
      this.#receiptsSeen = undefined;
      await this.#lookForReceipts();
    }
  }

  /** Lets sync ask about the next segments in advance. */
  async askAhead(context: ReadonlySet<SegmentId>, bytes: number): Promise<void> {
    const { verified } = await this.plan(context, bytes);
    const names = verified.map(({ name }) => name).filter((name) => !this.#requests.of(name));
    if (names.length > 0) await this.#requests.ask(names);
  }

  /** `waiting`: nothing was evicted, and answers of stores are pending. */
  async evict({ verified, unverified }: EvictionPlan, { reason }: Shortage): Promise<'done' | 'waiting'> {
    const choices: Choice[] = [
      ...verified.map(({ name }) => ({ name, mayDrop: false })),
      ...unverified.map(({ name }) => ({ name, mayDrop: true })),
    ];
    const wasUnfinished = this.#unfinished;
    const limit = reason === 'quota' ? 'the data folder is over its quota' : 'free disk space is short';
    this.#unfinished = true;
    const why = `${this.whenFull}: ${limit}`;
    const outcome = await this.#evictor.evict(choices, why, {
      maxAgeNs: BigInt(this.confirmMaxAgeMs) * NS_PER_MS,
      requestOf: (name) => this.#requests.of(name),
      onAnswer: (name, nonce) => this.#requests.noteAnswer(name, nonce),
    });
    // An earlier round of the same tick may have left some.
    this.#unfinished = wasUnfinished || outcome.begun.length > outcome.evicted.length;
    for (const name of [...outcome.begun, ...outcome.vanished]) this.#index.remove(name);
    for (const [name, mayBeHeld] of outcome.unconfirmed) {
      const object = this.#index.get(name);
      if (object) object.receipt = mayBeHeld ? 'unanswered' : 'none';
    }
    this.#block(outcome.failed);
    this.#note(outcome.evicted, why);
    if (outcome.toAsk.length === 0) return 'done';
    const isCovered = outcome.toAsk.every((name) => this.#requests.of(name));
    if (!isCovered) await this.#requests.ask(outcome.toAsk);
    return this.#requests.isWaiting && outcome.evicted.length === 0 ? 'waiting' : 'done';
  }

  #block(failed: ReadonlyMap<string, unknown>): void {
    const now = this.#ports.clock.monotonic();
    for (const [name, until] of this.#blocked) if (until <= now) this.#blocked.delete(name);
    for (const [name, error] of failed) {
      this.#blocked.set(name, now + BLOCKED_NS);
      this.#ports.logger.warn('a segment cannot be evicted', { segment: name, error: describeError(error) });
    }
  }

  #mayGo({ name, salvagedFrom }: SealedObject, context: ReadonlySet<SegmentId>): boolean {
    const until = this.#blocked.get(name);
    if (until !== undefined && until > this.#ports.clock.monotonic()) return false;
    if (salvagedFrom !== undefined && context.has(salvagedFrom)) return false;
    return context.size === 0 || !context.has(name.slice(0, name.indexOf('.')));
  }

  /** Marks the segments that have a receipt file; looked up only while space is short. */
  async #lookForReceipts(): Promise<void> {
    const { fs, clock, folder } = this.#ports;
    const { mtimeNs: mtime } = await fs.stat(folder.receipts, { bigint: true });
    const at = clock.monotonic();
    const seen = this.#receiptsSeen;
    if (seen?.mtime === mtime && at - seen.at < RECEIPTS_NS) return;
    for (const file of await fs.readdir(folder.receipts)) {
      const object = file.endsWith('.json') ? this.#index.get(file.slice(0, -'.json'.length)) : undefined;
      if (object) object.receipt = 'seen';
    }
    this.#receiptsSeen = { mtime, at };
  }

  #note(evicted: readonly Evicted[], reason: string): void {
    if (evicted.length === 0) return;
    const dropped = evicted.filter(({ confirmed }) => !confirmed);
    this.counts = {
      segments: this.counts.segments + evicted.length,
      droppedSegments: this.counts.droppedSegments + dropped.length,
      droppedMessages: this.counts.droppedMessages + dropped.reduce((sum, { messages }) => sum + messages, 0),
    };
    this.#ports.logger.info('segments were evicted', {
      segments: evicted.length,
      unconfirmed: dropped.length,
      bytes: evicted.reduce((sum, { bytes }) => sum + bytes, 0),
    });
    this.#ports.onEvicted?.(evicted, reason);
  }
}
