import { defined } from '../core/defined.js';
import { BoundedGaps, GAPS_KEPT } from '../core/bounded-gaps.js';
import type { Gap, GapReason } from '../core/gap.js';
import type { Channel, Message } from '../core/message.js';
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

/** Number of refused channels with their own gap in one commit; there may be one such commit per second. */
const REFUSED_KEPT = 50;

/**
 * Counts dropped messages until the next commit writes the counts. There is one open gap per channel and
 * reason, so a flood costs one record per commit and not one per message. Beyond {@link GAPS_KEPT} channels,
 * and for channels that are not recorded at all, gaps are merged per reason and robot: their number does not
 * grow with the channels that a server advertises.
 */
export class DropLedger {
  readonly #open = new Map<Channel, Map<string, OpenGap>>();
  readonly #ready: BoundedGaps;
  /** Of channels that are not recorded, and of channels beyond {@link GAPS_KEPT}. */
  readonly #refused: BoundedGaps;
  readonly #totals = new Map<GapReason, number>();

  /** Called at the first drop since {@link take}; set by the writer of the gaps. */
  onPending: (() => void) | undefined;

  readonly #random: RandomBytes;

  constructor(random: RandomBytes) {
    this.#random = random;
    const idOf = (): string => randomHex(random, 16);
    this.#ready = new BoundedGaps({ idOf, keepSettled: true });
    this.#refused = new BoundedGaps({ idOf, max: REFUSED_KEPT });
  }

  get pending(): boolean {
    return this.#open.size > 0 || this.#ready.size > 0 || this.#refused.size > 0;
  }

  /**
   * Messages that are missing from the recording while no durable gap accounts for them. What rules leave out does
   * not count.
   */
  get unwritten(): number {
    let sum = 0;
    for (const { reason, count = 0 } of [...this.#ready.list(), ...this.#refused.list()]) {
      if (reason !== 'decimated') sum += count;
    }
    for (const reasons of this.#open.values()) for (const { count } of reasons.values()) sum += count;
    return sum;
  }

  /** Messages dropped since the start, by reason. */
  droppedByReason(): Partial<Record<GapReason, number>> {
    return Object.fromEntries(this.#totals);
  }

  /** @param oldestFirst the message was the oldest of its channel: all earlier ones are already in a batch. */
  drop(message: Message, reason: GapReason, oldestFirst: boolean): void {
    // The settled number of a topic belongs only into the topic's own gap.
    const isSettling = oldestFirst && message.sourceSequence !== undefined;
    if (!isSettling && this.#open.size >= GAPS_KEPT && !this.#open.has(message.channel)) {
      this.refuse(message, reason);
      return;
    }
    this.#count(reason);
    const gap = this.#openGap(message, reason, oldestFirst);
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

  /** Counts a message of a channel that is not recorded; there may be any number of such channels. */
  refuse({ channel, data, receivedAt }: Message, reason: GapReason): void {
    this.#count(reason);
    if (!this.pending) this.onPending?.();
    const { robot, topic } = channel;
    const times = { firstTime: receivedAt, lastTime: receivedAt };
    this.#refused.merge({ reason, robot, topic, count: 1, bytes: data.byteLength, ...times });
  }

  /** Adds a gap that is not a drop of the recorder: from a source, or found at recovery. */
  add(gap: Omit<Gap, 'id'> & { readonly id?: string }): void {
    this.#ready.add({ ...gap, id: gap.id ?? randomHex(this.#random, 16) });
  }

  /** Takes gaps back that were not made durable. They keep their ids, so a gap that is written twice counts once. */
  putBack(gaps: readonly Gap[]): void {
    if (gaps.length > 0 && !this.pending) this.onPending?.();
    for (const gap of gaps) this.#ready.add(gap);
  }

  /** Everything collected so far, to be written with the next commit. */
  take(): Gap[] {
    const gaps = [...this.#ready.take(), ...this.#refused.take()];
    for (const reasons of this.#open.values()) {
      for (const gap of reasons.values()) gaps.push(this.#close(gap));
    }
    this.#open.clear();
    return gaps;
  }

  #count(reason: GapReason): void {
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
  }

  #openGap(message: Message, reason: GapReason, oldestFirst: boolean): OpenGap {
    if (this.#open.size === 0) this.onPending?.();
    let reasons = this.#open.get(message.channel);
    if (!reasons) this.#open.set(message.channel, (reasons = new Map<string, OpenGap>()));
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

  #close(gap: OpenGap): Gap {
    const { channel, firstSourceSequence, lastSourceSequence, oldestFirst, ...rest } = gap;
    return {
      ...rest,
      id: randomHex(this.#random, 16),
      robot: channel.robot,
      topic: channel.topic,
      ...defined({ firstSourceSequence, lastSourceSequence }),
      ...(oldestFirst && lastSourceSequence !== undefined ? { settledThrough: lastSourceSequence } : {}),
    };
  }
}
