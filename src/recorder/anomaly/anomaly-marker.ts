import { formatTime, NS_PER_MS, NS_PER_S, type Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import type { Logger } from '../../core/logger.js';
import type { AnomalyStatus } from '../../core/status.js';
import { present } from '../../core/present.js';
import type { MarkEventRequest } from '../recorder-control.js';
import type { AnomalyOptions } from '../../settings/anomaly-options.js';
import type { Sighting } from './channel-watch.js';

export interface AnomalyMarkerPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mark: (request: MarkEventRequest) => Promise<MarkedEvent>;
  /**
   * Whether values of a topic may leave readable and unchanged: so do the labels of marks, in manifests. Default: they
   * may.
   */
  readonly mayShow?: (topic: string) => boolean;
}

const HOUR_NS = 3600n * NS_PER_S;
/** Maximum length of a mark's label. */
const LABEL_CHARS = 200;
/** Number of rule and topic pairs whose last mark is remembered; the oldest are forgotten first. */
const MAX_COOLDOWNS = 10_000;
/** Interval of log lines for a flickering anomaly, per rule and topic. */
const LOG_INTERVAL_NS = 10n * NS_PER_S;

interface Counts {
  seen: number;
  marked: number;
  lastAt?: string;
  last?: string;
}

/** Counts and logs the anomalies, and marks an event for those that allow it. */
export class AnomalyMarker {
  #counts = new Map<string, Counts>();
  /** When the last mark of a rule and topic was made, and the last line logged; monotonic. */
  readonly #marked = new Map<string, bigint>();
  readonly #logged = new Map<string, bigint>();
  /** Marks of the last hour, oldest first; monotonic. */
  readonly #hour: bigint[] = [];
  #suppressed = 0;
  #failed = 0;

  readonly #ports: AnomalyMarkerPorts;

  constructor(
    public options: AnomalyOptions,
    ports: AnomalyMarkerPorts,
  ) {
    this.#ports = ports;
    this.reconfigure(options);
  }

  /** Rules that stay keep their counts. */
  reconfigure(options: AnomalyOptions): void {
    this.options = options;
    const before = this.#counts;
    this.#counts = new Map(
      options.rules.map(({ text }) => [text, before.get(text) ?? { seen: 0, marked: 0 }]),
    );
  }

  seen({ rule, robot, topic, text: measured }: Sighting): void {
    const { clock, logger, mayShow } = this.#ports;
    // Marks, logs and status are not encrypted.
    const isHidden = this.options.hidesValues || mayShow?.(topic) === false;
    const text = isHidden ? `breaks the rule ${rule.text}` : measured;
    const counts = this.#counts.get(rule.text);
    if (counts === undefined) return;
    counts.seen++;
    counts.lastAt = formatTime(clock.now());
    counts.last = `${topic} ${text}`;
    const key = JSON.stringify([rule.text, robot, topic]);
    const now = clock.monotonic();
    const isMarked = this.#mayMark(key, now);
    if (isMarked) {
      remember(this.#marked, key, now);
      this.#hour.push(now);
      counts.marked++;
      void this.#mark(`anomaly: ${topic} ${text}`);
    } else this.#suppressed++;
    const told = this.#logged.get(key);
    if (!isMarked && told !== undefined && now - told < LOG_INTERVAL_NS) return;
    remember(this.#logged, key, now);
    logger.warn('anomaly', { rule: rule.text, robot, topic, seen: text, marked: isMarked });
  }

  status(): Pick<AnomalyStatus, 'rules' | 'suppressed' | 'failedMarks'> {
    return {
      rules: [...this.#counts].map(([rule, counts]) => ({ rule, ...counts })),
      suppressed: this.#suppressed,
      failedMarks: this.#failed,
    };
  }

  #mayMark(key: string, now: bigint): boolean {
    const { cooldownMs, maxMarksPerHour } = this.options;
    while (this.#hour.length > 0 && now - this.#hour[0]! >= HOUR_NS) this.#hour.shift();
    const last = this.#marked.get(key);
    if (last !== undefined && now - last < BigInt(cooldownMs) * NS_PER_MS) return false;
    return this.#hour.length < maxMarksPerHour;
  }

  async #mark(label: string): Promise<void> {
    const { beforeMs, afterMs } = this.options;
    try {
      const short = label.slice(0, LABEL_CHARS);
      await this.#ports.mark({ label: short, beforeS: beforeMs / 1_000, afterS: afterMs / 1_000 });
    } catch (error) {
      this.#failed++;
      this.#ports.logger.warn('an anomaly could not be marked', { label, error: describeError(error) });
    }
  }
}

function remember(times: Map<string, bigint>, key: string, now: bigint): void {
  times.delete(key);
  times.set(key, now);
  if (times.size > MAX_COOLDOWNS) times.delete(present(times.keys().next().value));
}
