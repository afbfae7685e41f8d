import { NS_PER_MS, type Clock } from '../core/clock.js';
import { DurationHistogram, uploadBoundsMs } from '../core/duration-histogram.js';
import { describeError } from '../core/errors.js';
import { WriteTimes } from './timed-deriver.js';

const RATE_WINDOW_NS = 10_000n * NS_PER_MS;
const RATE_SAMPLES_MAX = 4096;

/** Counters since the start of this process; they only grow. */
export class SyncCounters {
  sentBytes = 0;
  resentBytes = 0;
  resumedUploads = 0;
  retries = 0;
  verifiedSegments = 0;
  /** Over all processes, for the present store. */
  syncedTotal = 0;
  verifiedBytes = 0;
  readonly durations = new DurationHistogram(uploadBoundsMs);
  /** Of a sink that makes files of segments. */
  readonly writes: WriteTimes;
  lastSyncAt: bigint | undefined;
  lastError: string | undefined;
  readonly #clock: Clock;
  readonly #samples: { at: bigint; bytes: number }[] = [];
  #windowBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.writes = new WriteTimes(clock);
  }

  sent(bytes: number): void {
    this.sentBytes += bytes;
    this.#windowBytes += bytes;
    const at = this.#clock.monotonic();
    const last = this.#samples.at(-1);
    if (last && this.#samples.length >= RATE_SAMPLES_MAX) last.bytes += bytes;
    else this.#samples.push({ at, bytes });
  }

  noteError(error: unknown): void {
    this.lastError = typeof error === 'string' ? error : describeError(error);
  }

  /** Bytes per second over the last ten seconds, or over the time since the first of them. */
  bytesPerS(): number {
    const now = this.#clock.monotonic();
    for (let first = this.#samples[0]; first && now - first.at > RATE_WINDOW_NS; first = this.#samples[0]) {
      this.#windowBytes -= first.bytes;
      this.#samples.shift();
    }
    const first = this.#samples[0];
    if (!first) return 0;
    const seconds = Math.max(1, Number(now - first.at) / 1e9);
    return this.#windowBytes / seconds;
  }
}
