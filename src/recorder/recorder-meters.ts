import type { RobotStatus } from '../core/status.js';
import { VIN_KEY, vinOf, type Vins } from '../core/vin.js';
import type { Batch } from '../ingest/batch.js';
import type { ChannelQueue } from '../ingest/channel-queue.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';

interface Rates {
  readonly messagesPerS: number;
  readonly bytesPerS: number;
}

interface Counted {
  received: number;
  receivedBytes: number;
  rates: Rates;
}

const none: Rates = Object.freeze({ messagesPerS: 0, bytesPerS: 0 });

/** Counts per robot and rates, from the queues' own counters once a second: no work per message. */
export class RecorderMeters {
  messagesPerS = 0;
  bytesPerS = 0;
  readonly #durable = new Map<string, number>();
  readonly #queues = new Map<ChannelQueue, Counted>();
  #robotRates = new Map<string, Rates>();
  #previousAt: bigint | undefined;

  readonly #buffer: IngestBuffer;
  readonly #vins: Vins;

  /** @param vins - Of the parameters, by robot: they go before those of channels. */
  constructor(buffer: IngestBuffer, vins: Vins) {
    this.#buffer = buffer;
    this.#vins = vins;
  }

  committed(batch: Batch): void {
    let robot = '';
    let run = 0;
    for (const { channel } of batch.messages) {
      if (channel.robot === robot) run++;
      else {
        if (run > 0) this.#durable.set(robot, (this.#durable.get(robot) ?? 0) + run);
        robot = channel.robot;
        run = 1;
      }
    }
    if (run > 0) this.#durable.set(robot, (this.#durable.get(robot) ?? 0) + run);
  }

  /** Recomputes the rates over the time since the last call. */
  tick(nowNs: bigint): void {
    const seconds = this.#previousAt === undefined ? 0 : Number(nowNs - this.#previousAt) / 1e9;
    this.#previousAt = nowNs;
    const robots = new Map<string, Rates>();
    let all = none;
    for (const queue of this.#buffer.allQueues()) {
      const rates = this.#measure(queue, seconds);
      const { robot } = queue.channel;
      robots.set(robot, sumOf(robots.get(robot) ?? none, rates));
      all = sumOf(all, rates);
    }
    this.#robotRates = robots;
    this.messagesPerS = all.messagesPerS;
    this.bytesPerS = all.bytesPerS;
  }

  /** Of one channel, over the last second. */
  rateOf(queue: ChannelQueue): Rates {
    return this.#queues.get(queue)?.rates ?? none;
  }

  sums(): { received: number; receivedBytes: number; dropped: number; decimated: number } {
    const sums = { received: 0, receivedBytes: 0, dropped: 0, decimated: 0 };
    for (const { received, receivedBytes, dropped, decimated } of this.#buffer.allQueues()) {
      sums.received += received;
      sums.receivedBytes += receivedBytes;
      sums.dropped += dropped;
      sums.decimated += decimated;
    }
    return sums;
  }

  robots(): RobotStatus[] {
    type Sum = Pick<RobotStatus, 'channels' | 'received' | 'dropped' | 'decimated' | 'vin'>;
    const totals = new Map<string, { -readonly [Name in keyof Sum]: Sum[Name] }>();
    for (const { channel, received, dropped, decimated } of this.#buffer.allQueues()) {
      let sum = totals.get(channel.robot);
      if (!sum) totals.set(channel.robot, (sum = { channels: 0, received: 0, dropped: 0, decimated: 0 }));
      const vin = vinOf(this.#vins, channel.robot) ?? channel.metadata[VIN_KEY];
      if (vin !== undefined) sum.vin ??= vin;
      sum.channels++;
      sum.received += received;
      sum.dropped += dropped;
      sum.decimated += decimated;
    }
    return [...totals].map(([robot, sum]) => ({
      robot,
      ...sum,
      durable: this.#durable.get(robot) ?? 0,
      ...(this.#robotRates.get(robot) ?? none),
    }));
  }

  #measure(queue: ChannelQueue, seconds: number): Rates {
    const { received, receivedBytes } = queue;
    const before = this.#queues.get(queue);
    const messages = received - (before?.received ?? 0);
    const bytes = receivedBytes - (before?.receivedBytes ?? 0);
    const rates =
      seconds > 0 && messages > 0 ? { messagesPerS: messages / seconds, bytesPerS: bytes / seconds } : none;
    if (before) Object.assign(before, { received, receivedBytes, rates });
    else this.#queues.set(queue, { received, receivedBytes, rates });
    return rates;
  }
}

function sumOf(a: Rates, b: Rates): Rates {
  return { messagesPerS: a.messagesPerS + b.messagesPerS, bytesPerS: a.bytesPerS + b.bytesPerS };
}
