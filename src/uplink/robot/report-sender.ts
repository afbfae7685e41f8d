import { NS_PER_S, type Clock } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import type { SegmentContent } from '../../core/monitoring.js';
import type { Tags } from '../../core/tags.js';
import { figureNames, type FigureName, type RobotFigures } from '../protocol/robot-figures.js';
import {
  reportLimits,
  type ReportedAlert,
  type ReportedSegment,
  type RobotReport,
} from '../protocol/robot-report.js';
import { boundedTopics, contentLimits, type NumberedContent } from '../protocol/segment-content.js';
import { reportText } from '../protocol/report-text.js';

/** What a robot can say about itself now. */
export interface RobotFacts {
  readonly figures: RobotFigures;
  /** The raised ones. */
  readonly alerts: readonly ReportedAlert[];
  /** Those that hold; absent: not known yet. */
  readonly tags?: Tags;
  /** The newest segments, oldest first. */
  readonly segments: readonly ReportedSegment[];
  /** The events that were marked last, oldest first. */
  readonly events: readonly MarkedEvent[];
}

const COMPLETE_EVERY_NS = 30n * NS_PER_S;

/** Makes the reports of one connection: what changed since the one before, and everything at times. */
export class ReportSender {
  readonly #epoch: number;
  readonly #clock: Clock;
  #sequence = 0;
  #completeAt: bigint | undefined;
  #figures: RobotFigures = {};
  #alerts = '';
  /** The JSON of the tags that were sent; undefined: none were. */
  #tags: string | undefined;
  /** The JSON of each segment that was sent, and the ids of events. */
  #segments = new Map<string, string>();
  #events = new Set<string>();
  /** The contents that were sent in this epoch, with their numbers. */
  readonly #contents = new Map<SegmentContent, number>();

  constructor(epoch: number, clock: Clock) {
    this.#epoch = epoch;
    this.#clock = clock;
  }

  /** The next report is complete. */
  requestComplete(): void {
    this.#completeAt = undefined;
    this.#contents.clear();
  }

  /** Undefined: nothing has changed. */
  next(facts: RobotFacts): RobotReport | undefined {
    const now = this.#clock.monotonic();
    const complete = this.#completeAt === undefined || now - this.#completeAt >= COMPLETE_EVERY_NS;
    if (complete) {
      this.#completeAt = now;
      this.#figures = {};
      this.#alerts = '';
      this.#tags = undefined;
      this.#segments.clear();
      this.#events.clear();
    }
    const before = this.#figures;
    const { figures } = facts;
    const changed = figureNames.filter((name) => figures[name] !== before[name]);
    const alerts = facts.alerts.slice(0, reportLimits.alerts).map(shortened);
    const alertsNow = JSON.stringify(alerts);
    const isAlertsChanged = alertsNow !== this.#alerts;
    const tags = this.#changedTags(facts.tags);
    const contents: NumberedContent[] = [];
    const segments = this.#changedSegments(facts.segments, contents);
    const events = this.#newEvents(facts.events);
    const isSame = changed.length + segments.length + events.length === 0 && tags === undefined;
    if (!complete && isSame && !isAlertsChanged) return undefined;
    this.#figures = figures;
    this.#alerts = alertsNow;
    const unknown: readonly FigureName[] = complete
      ? []
      : changed.filter((name) => figures[name] === undefined);
    return {
      ...{ epoch: this.#epoch, sequence: ++this.#sequence, complete, timeNs: this.#clock.now() },
      figures: Object.fromEntries(
        changed.flatMap((name) => (figures[name] === undefined ? [] : [[name, figures[name]]])),
      ),
      ...{ unknown, ...(isAlertsChanged ? { alerts } : {}), ...defined({ tags }), segments, events },
      ...(contents.length > 0 ? { contents } : {}),
    };
  }

  /** Undefined: as before. */
  #changedTags(tags: Tags | undefined): Tags | undefined {
    const now = tags === undefined ? undefined : JSON.stringify(tags);
    if (now === undefined || now === this.#tags) return undefined;
    this.#tags = now;
    return tags;
  }

  /** The newest first, so that a long list does not delay what happens now. */
  #changedSegments(all: readonly ReportedSegment[], contents: NumberedContent[]): readonly ReportedSegment[] {
    const seen = new Map<string, string>();
    const changed: ReportedSegment[] = [];
    for (const { holds, ...own } of [...all].reverse()) {
      const segment = { ...own, ...defined({ content: holds && this.#numberOf(holds, contents) }) };
      const [key, now] = [`${segment.segment} ${segment.priority ?? ''}`, JSON.stringify(segment)];
      const isSent = this.#segments.get(key) === now;
      if (isSent || changed.length < reportLimits.segments) seen.set(key, now);
      if (!isSent && changed.length < reportLimits.segments) changed.push(segment);
    }
    this.#segments = seen;
    return changed;
  }

  /** Undefined: it comes with a later report, or there are too many. */
  #numberOf(holds: SegmentContent, contents: NumberedContent[]): number | undefined {
    const known = this.#contents.get(holds);
    if (known !== undefined) return known;
    const isFull = this.#contents.size >= contentLimits.numbers || contents.length >= contentLimits.inReport;
    if (isFull) return undefined;
    const number = this.#contents.size + 1;
    this.#contents.set(holds, number);
    contents.push({ ...holds, number, topics: boundedTopics(holds.topics) });
    return number;
  }

  #newEvents(all: readonly MarkedEvent[]): readonly MarkedEvent[] {
    const found = all.filter(({ id }) => !this.#events.has(id)).slice(-reportLimits.events);
    this.#events = new Set(all.map(({ id }) => id));
    return found.map((event) => ({ ...event, label: reportText(event.label) }));
  }
}

function shortened(alert: ReportedAlert): ReportedAlert {
  return { ...alert, summary: reportText(alert.summary) };
}
