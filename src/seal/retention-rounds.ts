import { describeError } from '../core/errors.js';
import type { SegmentId } from '../core/segment-id.js';
import { Evictor, type Choice, type Evicted, type EvictPorts } from './retention-evict.js';
import { planEvictions, type EvictionPlan, type Shortage, type WhenFull } from './retention-plan.js';
import type { SealedIndex, SealedObject } from './sealed-index.js';

export interface EvictionCounts {
  /** Evicted since the start of this process. */
  readonly segments: number;
  /** Of these, the ones no store had. */
  readonly droppedSegments: number;
  readonly droppedMessages: number;
}

/** Evicted in one go; then the disk is asked again. */
const BATCH = 64;
/** Manifests read per step while space is short and they are not all known yet. */
const READ_STEP = 2000;
const INTERRUPTED = 'begun before a crash or a full disk';
const S = 1_000_000_000n;
/** A segment that could not be evicted is left alone for this long. */
const BLOCKED_NS = 60n * S;
/** Modification times have steps, and network folders' lie: receipts are listed at least this often. */
const RECEIPTS_NS = 30n * S;

/** Turns a shortage into evictions, a bounded number at a time. */
export class EvictionRounds {
  counts: EvictionCounts = { segments: 0, droppedSegments: 0, droppedMessages: 0 };
  private readonly evictor: Evictor;
  private readonly blocked = new Map<string, bigint>();
  /** An earlier eviction may wait to be finished. */
  private unfinished = true;
  private receiptsSeen: { mtime: bigint; at: bigint } | undefined;

  constructor(
    private readonly ports: EvictPorts,
    private readonly index: SealedIndex,
    /** May change between rounds. */
    public whenFull: WhenFull,
  ) {
    this.evictor = new Evictor(ports);
  }

  /** Finishes what a crash or a refusing disk left half done. */
  async finishInterrupted(): Promise<void> {
    if (!this.unfinished) return;
    const { evicted, left } = await this.evictor.finishInterrupted(INTERRUPTED);
    this.unfinished = left > 0;
    this.note(evicted, INTERRUPTED);
  }

  /** What would go for a shortage; segments of `context` never do. */
  async plan(context: ReadonlySet<SegmentId>, bytes: number): Promise<EvictionPlan> {
    await this.lookForReceipts();
    for (;;) {
      const plan = planEvictions({
        objects: this.index.oldestFirst(),
        mayGo: (object) => this.mayGo(object, context),
        bytes,
        // Which of those without a receipt goes first is judged only among all of them.
        whenFull: this.index.complete ? this.whenFull : 'stop',
        limit: BATCH,
      });
      if (plan.shortBytes === 0 || plan.verified.length > 0 || this.index.complete) return plan;
      await this.index.readMore(READ_STEP);
      this.receiptsSeen = undefined;
      await this.lookForReceipts();
    }
  }

  async evict({ verified, unverified }: EvictionPlan, { reason }: Shortage): Promise<void> {
    const choices: Choice[] = [
      ...verified.map(({ name }) => ({ name, onlyVerified: true })),
      ...unverified.map(({ name }) => ({ name, onlyVerified: false })),
    ];
    const limit = reason === 'quota' ? 'the data folder is over its quota' : 'free disk space is short';
    this.unfinished = true;
    const why = `${this.whenFull}: ${limit}`;
    const outcome = await this.evictor.evict(choices, why);
    this.unfinished = outcome.begun.length > outcome.evicted.length;
    for (const name of [...outcome.begun, ...outcome.vanished]) this.index.remove(name);
    for (const name of outcome.unconfirmed) {
      const object = this.index.get(name);
      if (object) object.receipt = false;
    }
    this.block(outcome.failed);
    this.note(outcome.evicted, why);
  }

  private block(failed: ReadonlyMap<string, unknown>): void {
    const now = this.ports.clock.monotonic();
    for (const [name, until] of this.blocked) if (until <= now) this.blocked.delete(name);
    for (const [name, error] of failed) {
      this.blocked.set(name, now + BLOCKED_NS);
      this.ports.logger.warn('a segment cannot be evicted', { segment: name, error: describeError(error) });
    }
  }

  private mayGo({ name, salvagedFrom }: SealedObject, context: ReadonlySet<SegmentId>): boolean {
    const until = this.blocked.get(name);
    if (until !== undefined && until > this.ports.clock.monotonic()) return false;
    if (salvagedFrom !== undefined && context.has(salvagedFrom)) return false;
    return context.size === 0 || !context.has(name.slice(0, name.indexOf('.')));
  }

  /** Marks the segments that have a receipt file; looked up only while space is short. */
  private async lookForReceipts(): Promise<void> {
    const { fs, clock, folder } = this.ports;
    const { mtimeNs: mtime } = await fs.stat(folder.receipts, { bigint: true });
    const at = clock.monotonic();
    const seen = this.receiptsSeen;
    if (seen?.mtime === mtime && at - seen.at < RECEIPTS_NS) return;
    for (const file of await fs.readdir(folder.receipts)) {
      const object = file.endsWith('.json') ? this.index.get(file.slice(0, -'.json'.length)) : undefined;
      if (object) object.receipt = true;
    }
    this.receiptsSeen = { mtime, at };
  }

  private note(evicted: readonly Evicted[], reason: string): void {
    if (evicted.length === 0) return;
    const dropped = evicted.filter(({ verified }) => !verified);
    this.counts = {
      segments: this.counts.segments + evicted.length,
      droppedSegments: this.counts.droppedSegments + dropped.length,
      droppedMessages: this.counts.droppedMessages + dropped.reduce((sum, { messages }) => sum + messages, 0),
    };
    this.ports.logger.info('segments were evicted', {
      segments: evicted.length,
      notUploaded: dropped.length,
      bytes: evicted.reduce((sum, { bytes }) => sum + bytes, 0),
    });
    this.ports.onEvicted?.(evicted, reason);
  }
}
