import { describeError } from '../core/errors.js';
import type { Gap } from '../core/gap.js';
import type { Logger } from '../core/logger.js';
import { numberingKey, type Channel } from '../core/message.js';
import { SeenNumbers } from '../core/seen-numbers.js';
import type { Batch } from '../ingest/batch.js';
import { Identities } from './identities.js';
import type { WalHead } from './wal-head.js';

/**
 * When a commit is durable. `commit`: every commit is fsynced (loss window: the age of one batch plus one
 * fsync). `interval`: written to the operating system at once, fsynced every `intervalMs`. `os`: fsynced when
 * a segment rolls; until then the operating system decides. kill -9 loses nothing that was written; a power
 * cut loses what was not fsynced. In all three modes, sources get their acknowledgement only after the fsync.
 */
export type Durability = 'commit' | 'interval' | 'os';

/** A batch that the operating system has and the disk may not have; its payloads are no longer in memory. */
export interface UnsyncedBatch {
  readonly messages: { readonly length: number };
  readonly bytes: number;
  /** Monotonic nanoseconds. */
  readonly oldestAt: bigint;
}

interface Receipt extends UnsyncedBatch {
  readonly gaps: readonly Gap[];
  readonly acks: readonly (() => void)[];
  readonly settled: readonly (readonly [robot: string, topic: string, sourceSequence: number])[];
  /** `Channel.numberedIn` -> the numbers of its messages. */
  readonly identified: ReadonlyMap<string, readonly number[]>;
}

interface DurablePorts {
  readonly logger: Logger;
  /** Gaps that are part of the recording from now on. Must not throw. */
  readonly onGaps?: (gaps: readonly Gap[]) => void;
  /** Gaps whose fsync failed: they must be committed again. Must not throw. */
  readonly onGapsUnsure?: (gaps: readonly Gap[]) => void;
}

/** Handles what became durable: counts it, acknowledges it, and keeps the settled source numbers. */
export class DurableLedger {
  /** Messages and payload bytes made durable since this process started. */
  messages = 0;
  bytes = 0;
  /** Maximum time from receipt to durability, in milliseconds. */
  maxLossWindowMs = 0;
  readonly identities: Identities;
  #pending: Receipt[] = [];
  readonly #numbers: Map<string, number>;

  readonly #ports: DurablePorts;

  constructor(head: Pick<WalHead, 'sourceSequences' | 'seen'>, ports: DurablePorts) {
    this.#ports = ports;
    this.#numbers = new Map(Object.entries(head.sourceSequences));
    this.identities = new Identities(new SeenNumbers(head.seen));
  }

  get unsynced(): readonly UnsyncedBatch[] {
    return this.#pending;
  }

  settledThrough(robot: string, topic: string): number | undefined {
    return this.#numbers.get(numberingKey(robot, topic));
  }

  /** `numberingKey` -> source number, for the head. */
  settledNumbers(): Record<string, number> {
    return Object.fromEntries(this.#numbers);
  }

  written(batch: Batch): void {
    this.#pending.push(receiptOf(batch));
  }

  /** An fsync covered everything written so far. */
  synced(monotonicNs: bigint): void {
    for (const receipt of this.#pending.splice(0)) this.#settle(receipt, monotonicNs);
  }

  /** An fsync failed: the data it should have covered may survive or not, and is never acknowledged. */
  abandon(): void {
    const lost = this.#pending.splice(0);
    if (lost.length === 0) return;
    for (const { identified } of lost) {
      for (const [numbering, numbers] of identified) this.identities.release(numbering, numbers);
    }
    this.#ports.onGapsUnsure?.(lost.flatMap(({ gaps }) => gaps));
    const messages = lost.reduce((sum, receipt) => sum + receipt.messages.length, 0);
    this.#ports.logger.error('fsync failed: messages that the disk had accepted may be lost', { messages });
  }

  #settle(receipt: Receipt, now: bigint): void {
    this.messages += receipt.messages.length;
    this.bytes += receipt.bytes;
    if (receipt.messages.length > 0) {
      this.maxLossWindowMs = Math.max(this.maxLossWindowMs, Number(now - receipt.oldestAt) / 1e6);
    }
    for (const [robot, topic, number] of receipt.settled) {
      const key = numberingKey(robot, topic);
      this.#numbers.set(key, Math.max(number, this.#numbers.get(key) ?? 0));
    }
    for (const [numbering, numbers] of receipt.identified) this.identities.settle(numbering, numbers);
    if (receipt.gaps.length > 0) this.#ports.onGaps?.(receipt.gaps);
    for (const ack of receipt.acks) {
      try {
        ack();
      } catch (error) {
        // The messages are durable: a fault of a source must not look like a failed commit, which would write
        // them twice.
        this.#ports.logger.error('acknowledging messages to a source failed', {
          error: describeError(error),
        });
      }
    }
  }
}

function receiptOf({ messages, gaps, bytes, oldestAt }: Batch): Receipt {
  const acks: (() => void)[] = [];
  const last = new Map<Channel, number>();
  const identified = new Map<string, number[]>();
  for (const { channel, sourceSequence, ack } of messages) {
    if (ack) acks.push(ack);
    if (sourceSequence === undefined) continue;
    if (channel.numberedIn === undefined) last.set(channel, sourceSequence);
    else {
      const numbers = identified.get(channel.numberedIn);
      if (numbers) numbers.push(sourceSequence);
      else identified.set(channel.numberedIn, [sourceSequence]);
    }
  }
  const settled = [...last].map(([{ robot, topic }, number]) => [robot, topic, number] as const);
  for (const { robot, topic, settledThrough } of gaps) {
    if (topic !== undefined && settledThrough !== undefined) settled.push([robot, topic, settledThrough]);
  }
  return { messages: { length: messages.length }, bytes, oldestAt, gaps, acks, settled, identified };
}
