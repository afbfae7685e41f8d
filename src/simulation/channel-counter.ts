/** Numbers the messages of one channel from 1 and remembers the first and last time. */
export class ChannelCounter {
  sequence = 0;
  firstStamp = 0n;
  lastStamp = 0n;

  /** Takes the next number for a message of this time. */
  next(stamp: bigint): number {
    if (this.sequence === 0) this.firstStamp = stamp;
    this.lastStamp = stamp;
    return ++this.sequence;
  }

  stamps(): { readonly first: bigint; readonly last: bigint } | undefined {
    return this.sequence === 0 ? undefined : { first: this.firstStamp, last: this.lastStamp };
  }
}
