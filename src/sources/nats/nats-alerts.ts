import type { Clock } from '../../core/clock.js';
import type { SourceAlert } from '../../core/source.js';
import type { Publish } from './deliveries.js';

/** Failures that somebody beside the recorder should know. */
export type AlertKind =
  | 'stream_missing'
  | 'consumer_missing'
  | 'consumer_unusable'
  | 'dead_letter'
  | 'dead_letter_failed'
  | 'commits_stalled'
  | 'connection_lost'
  | 'recovered'
  | SourceAlert['kind'];

/** At most one per kind in this time; the others are counted in the next. */
const INTERVAL_NS = 10_000_000_000n;

interface Untold {
  detail: string;
  count: number;
  /** Nanoseconds since the Unix epoch. */
  readonly firstAt: bigint;
}

/** Critical failures as JSON on a subject; those without a connection are reported on the next one. */
export class NatsAlerts {
  readonly #untold = new Map<AlertKind, Untold>();
  readonly #toldAt = new Map<AlertKind, bigint>();
  #publish: Publish | undefined;

  readonly #subject: string | undefined;
  readonly #source: string;
  readonly #clock: Clock;

  constructor(subject: string | undefined, source: string, clock: Clock) {
    this.#subject = subject;
    this.#source = source;
    this.#clock = clock;
  }

  raise(kind: AlertKind, detail: string): void {
    if (this.#subject === undefined) return;
    const known = this.#untold.get(kind);
    if (known) {
      known.count++;
      known.detail = detail;
    } else this.#untold.set(kind, { detail, count: 1, firstAt: this.#clock.now() });
    this.flush();
  }

  connected(publish: Publish): void {
    this.#publish = publish;
    this.flush();
  }

  disconnected(): void {
    this.#publish = undefined;
  }

  /** Sends what is due; call it now and then. */
  flush(): void {
    if (!this.#publish || this.#subject === undefined) return;
    const now = this.#clock.monotonic();
    for (const [kind, { detail, count, firstAt }] of this.#untold) {
      const toldAt = this.#toldAt.get(kind);
      if (toldAt !== undefined && now - toldAt < INTERVAL_NS) continue;
      this.#untold.delete(kind);
      this.#toldAt.set(kind, now);
      this.#publish(
        this.#subject,
        JSON.stringify({ kind, detail, count, source: this.#source, first_at_ns: String(firstAt) }),
      );
    }
  }
}
