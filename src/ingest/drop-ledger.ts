import type { Gap, GapReason } from '../core/gap.js';
import type { Channel, Message } from '../core/message.js';
import { mergeGaps } from './merge-gaps.js';
import { randomHex, type RandomBytes } from '../core/identity.js';

interface OpenGap {
  reason: GapReason;
  channel: Channel;
  count: number;
  bytes: number;
  firstTime: bigint;
  lastTime: bigint;
  firstSourceSequence: number | undefined;
  lastSourceSequence: number | undefined;
  oldestFirst: boolean;
}

/** Up to here every gap keeps its own record. */
const MERGE_ABOVE_GAPS = 4096;

/**
 * Counts what was dropped until the next commit takes it along: one open gap per channel and reason, so
 * a flood costs one record per commit and not one per message.
 */
export class DropLedger {
  private readonly open = new Map<Channel, Map<string, OpenGap>>();
  private readonly ready: Gap[] = [];
  private readonly readyByKey = new Map<string, number>();
  private readonly totals = new Map<GapReason, number>();

  /** Called when the first drop since {@link take} is counted; set by whoever writes them. */
  onPending: (() => void) | undefined;

  constructor(private readonly random: RandomBytes) {}

  get pending(): boolean {
    return this.open.size > 0 || this.ready.length > 0;
  }

  /** Messages dropped since the start, by reason. */
  droppedByReason(): Partial<Record<GapReason, number>> {
    return Object.fromEntries(this.totals);
  }

  /**
   * @param oldestFirst the message was its channel's oldest: everything before it is already in a batch.
   */
  drop(message: Message, reason: GapReason, oldestFirst: boolean): void {
    this.totals.set(reason, (this.totals.get(reason) ?? 0) + 1);
    const gap = this.openGap(message, reason, oldestFirst);
    gap.count++;
    gap.bytes += message.data.byteLength;
    if (message.receivedAt < gap.firstTime) gap.firstTime = message.receivedAt;
    if (message.receivedAt > gap.lastTime) gap.lastTime = message.receivedAt;
    const sequence = message.sourceSequence;
    if (sequence === undefined) return;
    if (gap.firstSourceSequence === undefined || sequence < gap.firstSourceSequence) {
      gap.firstSourceSequence = sequence;
    }
    if (gap.lastSourceSequence === undefined || sequence > gap.lastSourceSequence) {
      gap.lastSourceSequence = sequence;
    }
  }

  /**
   * Takes in a gap that is not a drop of ours: a source's, or one found at recovery. While nothing can be
   * committed, gaps of the same kind become one.
   */
  add(gap: Omit<Gap, 'id'> & { readonly id?: string }): void {
    const added = { ...gap, id: gap.id ?? randomHex(this.random, 16) };
    const key = JSON.stringify([gap.reason, gap.robot, gap.topic]);
    const at = this.ready.length < MERGE_ABOVE_GAPS ? undefined : this.readyByKey.get(key);
    if (at === undefined) {
      this.readyByKey.set(key, this.ready.length);
      this.ready.push(added);
    } else this.ready[at] = mergeGaps(this.ready[at] as Gap, added);
  }

  /** Everything gathered so far, to be written with the next commit. */
  take(): Gap[] {
    const gaps = this.ready.splice(0);
    this.readyByKey.clear();
    for (const reasons of this.open.values()) {
      for (const gap of reasons.values()) gaps.push(this.close(gap));
    }
    this.open.clear();
    return gaps;
  }

  private openGap(message: Message, reason: GapReason, oldestFirst: boolean): OpenGap {
    if (this.open.size === 0) this.onPending?.();
    let reasons = this.open.get(message.channel);
    if (!reasons) this.open.set(message.channel, (reasons = new Map<string, OpenGap>()));
    const key = oldestFirst ? `${reason}, oldest first` : reason;
    let gap = reasons.get(key);
    if (!gap) {
      gap = {
        reason,
        channel: message.channel,
        count: 0,
        bytes: 0,
        firstTime: message.receivedAt,
        lastTime: message.receivedAt,
        firstSourceSequence: undefined,
        lastSourceSequence: undefined,
        oldestFirst,
      };
      reasons.set(key, gap);
    }
    return gap;
  }

  private close(gap: OpenGap): Gap {
    const { channel, firstSourceSequence, lastSourceSequence, oldestFirst, ...rest } = gap;
    return {
      ...rest,
      id: randomHex(this.random, 16),
      robot: channel.robot,
      topic: channel.topic,
      ...(firstSourceSequence === undefined ? {} : { firstSourceSequence }),
      ...(lastSourceSequence === undefined ? {} : { lastSourceSequence }),
      ...(oldestFirst && lastSourceSequence !== undefined ? { settledThrough: lastSourceSequence } : {}),
    };
  }
}
