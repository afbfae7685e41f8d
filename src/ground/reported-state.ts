import { defined } from '../core/defined.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { Tags } from '../core/tags.js';
import type { RobotFigures } from '../uplink/protocol/robot-figures.js';
import type { ReportedAlert, ReportedSegment, RobotReport } from '../uplink/protocol/robot-report.js';

/** Of one robot; with more, the oldest are forgotten here. */
const MAX_SEGMENTS = 500;
const MAX_EVENTS = 100;

/** The clock of a robot is taken to be as before while a report says nothing else by more than this. */
const CLOCK_STEP_NS = 2_000_000_000n;

/** What a robot reported last. */
export class ReportedState {
  /** Undefined: nothing was reported, or reports are missing. */
  figures: RobotFigures | undefined;
  /** When the robot was known to be so, on the ground's clock. */
  atNs: bigint | undefined;
  /** How far the clock of the robot is behind the ground's; negative: ahead. Undefined: no report has said it. */
  clockBehindNs: bigint | undefined;
  alerts: readonly ReportedAlert[] = [];
  /** Undefined: the robot does not say, or reports are missing. */
  tags: Tags | undefined;
  readonly #segments = new Map<string, ReportedSegment>();
  readonly #events = new Map<string, MarkedEvent>();
  #epoch = 0;
  #sequence = 0;

  get segments(): readonly ReportedSegment[] {
    return [...this.#segments.values()].sort((a, b) => (a.segment < b.segment ? -1 : 1));
  }

  get events(): readonly MarkedEvent[] {
    return [...this.#events.values()].sort((a, b) => (BigInt(a.at) < BigInt(b.at) ? -1 : 1));
  }

  /** What was known before a restart of the ground; no report continues it. */
  restore(
    figures: RobotFigures | undefined,
    alerts: readonly ReportedAlert[],
    atNs: bigint | undefined,
    clockBehindNs: bigint | undefined,
  ): void {
    this.figures = figures;
    this.clockBehindNs = clockBehindNs;
    this.alerts = alerts;
    this.atNs = atNs;
  }

  /** False: reports are missing, and only a complete one helps. A report that was seen before is ignored. */
  apply(report: RobotReport, nowNs: bigint): boolean {
    const { epoch, sequence, complete, timeNs } = report;
    if (epoch === this.#epoch && sequence <= this.#sequence) return true;
    if (timeNs !== undefined) this.#compareClocks(nowNs - timeNs);
    const continues = epoch === this.#epoch && sequence === this.#sequence + 1 && this.figures !== undefined;
    this.#epoch = epoch;
    this.#sequence = sequence;
    if (!complete && !continues) {
      this.figures = undefined;
      this.tags = undefined;
      return false;
    }
    const figures: Record<string, string | number | undefined> = complete ? {} : { ...this.figures };
    for (const name of report.unknown) figures[name] = undefined;
    this.figures = defined({ ...figures, ...report.figures });
    this.atNs = nowNs;
    if (report.alerts !== undefined) this.alerts = report.alerts;
    else if (complete) this.alerts = [];
    if (report.tags !== undefined || complete) this.tags = report.tags;
    for (const segment of report.segments) {
      this.#segments.set(`${segment.segment} ${segment.priority ?? ''}`, segment);
    }
    for (const event of report.events) this.#events.set(event.id, event);
    forget(this.#segments, MAX_SEGMENTS, (one) => one.segment);
    forget(this.#events, MAX_EVENTS, (one) => one.at.padStart(20, '0'));
    return true;
  }

  /** The way of a report takes a little longer or shorter each time: that must not change what is shown. */
  #compareClocks(behindNs: bigint): void {
    const apart = behindNs - (this.clockBehindNs ?? 0n);
    if (this.clockBehindNs === undefined || apart > CLOCK_STEP_NS || apart < -CLOCK_STEP_NS)
      this.clockBehindNs = behindNs;
  }
}

/** Forgets those that come first in the order of their keys. */
function forget<T>(kept: Map<string, T>, most: number, orderOf: (one: T) => string): void {
  if (kept.size <= most) return;
  const order = [...kept].sort(([, a], [, b]) => (orderOf(a) < orderOf(b) ? -1 : 1));
  for (const [key] of order.slice(0, kept.size - most)) kept.delete(key);
}
