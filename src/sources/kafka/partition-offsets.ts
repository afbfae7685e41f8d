/**
 * The offsets of one partition: which are taken and not durable yet, and up to where everything is settled. It outlives
 * connections, so that a message that was taken on an earlier one still counts when its commit is durable.
 */
export class PartitionOffsets {
  /** Where the next message is fetched. */
  #next = 0;
  #highest = -1;
  /** Offset -> when it was taken, monotonic nanoseconds; rising offsets. */
  readonly #pending = new Map<number, bigint>();
  readonly #onAcknowledged: () => void;
  /** What the cluster has as the group's offset; undefined: nothing. */
  committed: number | undefined;

  constructor(onAcknowledged: () => void = () => undefined) {
    this.#onAcknowledged = onAcknowledged;
  }

  get next(): number {
    return this.#next;
  }

  /** Messages that wait for their commit. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Everything before it is durable, or needs no commit. */
  get settled(): number {
    const [first] = this.#pending.keys();
    return first ?? this.#next;
  }

  /** When the message that settles next was taken. */
  get oldestAt(): bigint | undefined {
    const [first] = this.#pending.values();
    return first;
  }

  /** Fetches from here. Messages from here on come again, and are known to the recorder if they are on their way. */
  begin(next: number): void {
    this.#pending.clear();
    this.#next = next;
  }

  /** Returns whether it was taken before. */
  take(offset: number, at: bigint): boolean {
    this.#pending.set(offset, at);
    this.passed(offset);
    const isAgain = offset <= this.#highest;
    if (!isAgain) this.#highest = offset;
    return isAgain;
  }

  /** There is nothing to record up to this offset, inclusive. */
  passed(offset: number): void {
    this.#next = Math.max(this.#next, offset + 1);
  }

  /** It is durable, or needs no commit. When it was taken; undefined: it is not pending. */
  ack(offset: number): bigint | undefined {
    const at = this.#pending.get(offset);
    if (this.#pending.delete(offset)) this.#onAcknowledged();
    return at;
  }
}
