import type { RobotStatus } from '../core/status.js';
import type { Batch } from '../ingest/batch.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';

interface Totals {
  channels: number;
  received: number;
  receivedBytes: number;
  dropped: number;
}

const empty = (): Totals => ({ channels: 0, received: 0, receivedBytes: 0, dropped: 0 });

/** Counts per robot and rates, from the queues' own counters once a second: nothing is done per message. */
export class RecorderMeters {
  messagesPerS = 0;
  bytesPerS = 0;
  private readonly durable = new Map<string, number>();
  private previous = new Map<string, Totals>();
  private rates = new Map<string, { messagesPerS: number; bytesPerS: number }>();
  private previousAt: bigint | undefined;

  constructor(private readonly buffer: IngestBuffer) {}

  committed(batch: Batch): void {
    let robot = '';
    let run = 0;
    for (const { channel } of batch.messages) {
      if (channel.robot === robot) run++;
      else {
        if (run > 0) this.durable.set(robot, (this.durable.get(robot) ?? 0) + run);
        robot = channel.robot;
        run = 1;
      }
    }
    if (run > 0) this.durable.set(robot, (this.durable.get(robot) ?? 0) + run);
  }

  /** Recomputes the rates over the time since the last call. */
  tick(nowNs: bigint): void {
    const totals = this.totals();
    const seconds = this.previousAt === undefined ? 0 : Number(nowNs - this.previousAt) / 1e9;
    this.messagesPerS = 0;
    this.bytesPerS = 0;
    for (const [robot, now] of totals) {
      const before = this.previous.get(robot) ?? empty();
      const rate = (a: number, b: number): number => (seconds > 0 ? (a - b) / seconds : 0);
      const rates = {
        messagesPerS: rate(now.received, before.received),
        bytesPerS: rate(now.receivedBytes, before.receivedBytes),
      };
      this.rates.set(robot, rates);
      this.messagesPerS += rates.messagesPerS;
      this.bytesPerS += rates.bytesPerS;
    }
    this.previous = totals;
    this.previousAt = nowNs;
  }

  sums(): { received: number; receivedBytes: number; dropped: number } {
    const sums = { received: 0, receivedBytes: 0, dropped: 0 };
    for (const totals of this.totals().values()) {
      sums.received += totals.received;
      sums.receivedBytes += totals.receivedBytes;
      sums.dropped += totals.dropped;
    }
    return sums;
  }

  robots(): RobotStatus[] {
    return [...this.totals()].map(([robot, { channels, received, dropped }]) => ({
      robot,
      channels,
      received,
      durable: this.durable.get(robot) ?? 0,
      dropped,
      ...(this.rates.get(robot) ?? { messagesPerS: 0, bytesPerS: 0 }),
    }));
  }

  private totals(): Map<string, Totals> {
    const totals = new Map<string, Totals>();
    for (const queue of this.buffer.allQueues()) {
      const { robot } = queue.channel;
      let sum = totals.get(robot);
      if (!sum) totals.set(robot, (sum = empty()));
      sum.channels++;
      sum.received += queue.received;
      sum.receivedBytes += queue.receivedBytes;
      sum.dropped += queue.dropped;
    }
    return totals;
  }
}
