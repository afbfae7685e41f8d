import type { Clock } from '../../core/clock.js';
import type { Publish } from './deliveries.js';

/** What goes so wrong that somebody beside the recorder should know. */
export type AlertKind =
  | 'stream_missing'
  | 'consumer_missing'
  | 'consumer_unusable'
  | 'dead_letter'
  | 'dead_letter_failed'
  | 'commits_stalled'
  | 'connection_lost'
  | 'recovered';

/** Of one kind, at most one in this time; the others are counted in the next. */
const INTERVAL_NS = 10_000_000_000n;

interface Untold {
  detail: string;
  count: number;
  /** Nanoseconds since the Unix epoch. */
  readonly firstAt: bigint;
}

/** Critical failures as JSON on a subject; what happens without a connection is told on the next one. */
export class NatsAlerts {
  private readonly untold = new Map<AlertKind, Untold>();
  private readonly toldAt = new Map<AlertKind, bigint>();
  private publish: Publish | undefined;

  constructor(
    private readonly subject: string | undefined,
    private readonly source: string,
    private readonly clock: Clock,
  ) {}

  raise(kind: AlertKind, detail: string): void {
    if (this.subject === undefined) return;
    const known = this.untold.get(kind);
    if (known) {
      known.count++;
      known.detail = detail;
    } else this.untold.set(kind, { detail, count: 1, firstAt: this.clock.now() });
    this.flush();
  }

  connected(publish: Publish): void {
    this.publish = publish;
    this.flush();
  }

  disconnected(): void {
    this.publish = undefined;
  }

  /** Tells what is due; to be called now and then. */
  flush(): void {
    if (!this.publish || this.subject === undefined) return;
    const now = this.clock.monotonic();
    for (const [kind, { detail, count, firstAt }] of this.untold) {
      const toldAt = this.toldAt.get(kind);
      if (toldAt !== undefined && now - toldAt < INTERVAL_NS) continue;
      this.untold.delete(kind);
      this.toldAt.set(kind, now);
      this.publish(
        this.subject,
        JSON.stringify({ kind, detail, count, source: this.source, first_at_ns: String(firstAt) }),
      );
    }
  }
}
