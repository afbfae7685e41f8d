import { NS_PER_MS, type Clock } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import type { MonitoredRecorder, SegmentContent, TimelineSegment } from '../../core/monitoring.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { Alert } from '../../monitors/alerts/evaluate-alerts.js';
import type { StatusDocument, Watch } from '../../monitors/live/watch.js';
import { figuresOf } from '../../uplink/protocol/robot-figures.js';
import type { ReportedAlert, ReportedSegment } from '../../uplink/protocol/robot-report.js';
import type { RobotFacts } from '../../uplink/robot/report-sender.js';
import type { UplinkStatus } from '../../uplink/robot/uplink-status.js';

type OutboxStatus = Pick<UplinkStatus, 'waitingSamples' | 'lostSamples'>;

/** Marked events that are kept for a ground that connects later. */
const EVENTS_MAX = 32;
/** Robots of one recorder that report in the same moment share one status. */
const SHARED_NS = 200n * NS_PER_MS;

/** Samples that were sent and wait for their confirmation are in the outbox, too. */
const ON_THEIR_WAY = 200;

export interface UplinkFactsPorts {
  readonly clock: Clock;
  /** The rules of `sync.transform`; undefined: they are not known. */
  readonly transform: () => readonly TransformRule[] | undefined;
}

/** What the robots of one recorder report to the ground. */
export class UplinkFacts implements Disposable {
  readonly #watch: Watch;
  readonly #clock: Clock;
  readonly #transform: UplinkFactsPorts['transform'];
  #left: { readonly rules: unknown; readonly contents: WeakMap<SegmentContent, SegmentContent> } | undefined;
  readonly #unlisten: () => void;
  #events: readonly MarkedEvent[] = [];
  #shared: { readonly at: bigint; readonly status: StatusDocument } | undefined;

  constructor(
    recorder: Pick<MonitoredRecorder, 'onEvent'>,
    watch: Watch,
    { clock, transform }: UplinkFactsPorts,
  ) {
    this.#watch = watch;
    this.#clock = clock;
    this.#transform = transform;
    this.#unlisten = recorder.onEvent((event) => {
      // The segments are read at longer intervals otherwise.
      if (event.kind === 'segment-sealed') void watch.lookAtSegments();
      if (event.kind === 'event-marked') this.#events = [...this.#events, event.event].slice(-EVENTS_MAX);
    });
  }

  /** Without an outbox, nothing is said about it. */
  of(robot: string, outbox?: OutboxStatus): RobotFacts {
    const { recorder, sync, diskTimeToFullMs, alerts } = this.#status();
    const share = recorder.robots.find((one) => one.robot === robot);
    const source = {
      recorder,
      ...defined({
        ...{ robot: share, sync: sync ?? undefined, diskTimeToFullMs: diskTimeToFullMs ?? undefined },
        outbox: outbox && unsent(outbox),
      }),
    };
    return {
      figures: figuresOf(source),
      ...defined({ tags: recorder.tags }),
      alerts: alerts.filter(({ raised }) => raised).map(reportedAlert),
      segments: this.#watch.timeline.segments
        .filter((one) => one.robot === undefined || one.robot === robot)
        .map((one) => reportedSegment(one, this.#leavingOf(this.#watch.contentOf(one)))),
      events: this.#events,
    };
  }

  /** Empty: no channel of the robot has said it, yet. */
  vinOf(robot: string): string {
    return this.#status().recorder.robots.find((one) => one.robot === robot)?.vin ?? '';
  }

  /** Without the topics that leave with no message. The same content gives the same object. */
  #leavingOf(content: SegmentContent | undefined): SegmentContent | undefined {
    const rules = this.#transform();
    if (content === undefined || rules === undefined) return undefined;
    if (this.#left?.rules !== rules) this.#left = { rules, contents: new WeakMap() };
    const { contents } = this.#left;
    const known = contents.get(content);
    if (known !== undefined) return known;
    const drops = (topic: string): boolean =>
      rules.some((rule) => rule.drop === 'topic' && rule.topics.test(topic));
    const topics = content.topics.filter(({ topic }) => !drops(topic));
    const leaving = topics.length === content.topics.length ? content : { ...content, topics };
    contents.set(content, leaving);
    return leaving;
  }

  [Symbol.dispose](): void {
    this.#unlisten();
  }

  #status(): StatusDocument {
    const at = this.#clock.monotonic();
    if (this.#shared === undefined || at - this.#shared.at > SHARED_NS)
      this.#shared = { at, status: this.#watch.status() };
    return this.#shared.status;
  }
}

function unsent({ waitingSamples, lostSamples }: OutboxStatus): OutboxStatus {
  return { waitingSamples: waitingSamples > ON_THEIR_WAY ? waitingSamples : 0, lostSamples };
}

function reportedAlert({ id, severity, summary, sinceMs = 0 }: Alert): ReportedAlert {
  return { id, severity, summary, sinceMs };
}

function reportedSegment(one: TimelineSegment, holds: SegmentContent | undefined): ReportedSegment {
  const { segment, state, bytes, messages, firstLogTime, lastLogTime, sealedAt, priority } = one;
  const optional = defined({ messages, firstLogTime, lastLogTime, sealedAt, priority });
  const isHere = state === 'sealed' || state === 'uploading';
  return {
    ...{ segment, state, bytes, ...optional, gaps: one.gaps.length + one.moreGaps },
    ...(isHere && holds !== undefined ? { holds } : {}),
  };
}
