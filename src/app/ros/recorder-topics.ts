import type { RecorderEvent } from '../../core/events.js';
import { defaultQos, type Qos } from '../../core/ros/qos.js';
import type { Alert } from '../../monitors/alerts/evaluate-alerts.js';
import type { RecorderControl } from '../../recorder/recorder-control.js';
import { alertDiagnostic } from './alert-diagnostics.js';
import { diagnosticFields } from './diagnostic.js';
import {
  recorderDiagnostics,
  RecentGrowth,
  type RecorderExpectations,
  type SourceProblem,
} from './recorder-diagnostics.js';
import type { MessageType } from './message-type.js';
import { NodePublisher } from './node-publisher.js';
import type { RunningNode } from './node-process.js';
import { Pace } from './pace.js';
import { rosMessages } from './ros-messages.js';
import { gapFields, recorderStatusFields, segmentSealedFields, topicStatsFields } from './status-fields.js';

/** Minimum time between two messages of one status topic. */
const STATUS_MIN_MS = 100;
const PERIOD_MS = 1_000;
/** Gaps come in bursts; beyond this many waiting for a slow reader, the oldest are dropped. */
const gapQos: Qos = { ...defaultQos, depth: 100 };

/** The topics of the recorder's node: its status, each topic's rates, events, and diagnostics. */
export class RecorderTopics implements Disposable {
  readonly #status: NodePublisher;
  readonly #stats: NodePublisher;
  readonly #sealed: NodePublisher;
  readonly #gaps: NodePublisher;
  readonly #diagnostics: NodePublisher;
  readonly #statusPace: Pace;
  readonly #periodPace: Pace;
  readonly #unlisten: () => void;
  readonly #recent = new RecentGrowth(() => performance.now());

  readonly #node: RunningNode;
  readonly #recorder: RecorderControl;
  readonly #expectations: () => RecorderExpectations;
  readonly #problems: () => readonly SourceProblem[];
  readonly #alerts: () => readonly Alert[];

  constructor(
    node: RunningNode,
    recorder: RecorderControl,
    expectations: () => RecorderExpectations,
    problems: () => readonly SourceProblem[],
    alerts: () => readonly Alert[] = () => [],
  ) {
    this.#node = node;
    this.#recorder = recorder;
    this.#expectations = expectations;
    this.#problems = problems;
    this.#alerts = alerts;
    const { session, logger } = node;
    const create = (type: MessageType, topic: string, qos?: Qos): NodePublisher =>
      NodePublisher.create(session, type, topic, logger, qos);
    this.#status = create(rosMessages.recorderStatus, '~/status');
    this.#stats = create(rosMessages.topicStatsArray, '~/topic_stats');
    this.#sealed = create(rosMessages.segmentSealed, '~/events/segment_sealed');
    this.#gaps = create(rosMessages.gap, '~/events/gap', gapQos);
    this.#diagnostics = create(rosMessages.diagnosticArray, '/diagnostics');
    this.#unlisten = recorder.onEvent((event) => this.#tell(event));
    this.#statusPace = new Pace(() => this.publishStatus(), STATUS_MIN_MS, PERIOD_MS);
    this.#periodPace = new Pace(() => this.#publishPeriodic(), PERIOD_MS, PERIOD_MS);
  }

  publishStatus(): void {
    this.#status.publish(recorderStatusFields(this.#recorder.status(), this.#now()));
  }

  #publishPeriodic(): void {
    const now = this.#now();
    this.#stats.publish(topicStatsFields(this.#recorder.topics(), now));
    const all = recorderDiagnostics(
      this.#recorder.status(),
      this.#expectations(),
      this.#recent,
      this.#problems(),
    );
    all.push(alertDiagnostic(this.#alerts(), this.#expectations().robot));
    this.#diagnostics.publish(diagnosticFields(all, this.#node.fullName.slice(1), now));
  }

  #tell(event: RecorderEvent): void {
    if (event.kind === 'segment-sealed') {
      const { dataFolder } = this.#recorder.status();
      this.#sealed.publish(segmentSealedFields(event.manifest, dataFolder, this.#now()));
    } else if (event.kind === 'gap') {
      this.#gaps.publish(gapFields(event.gap, this.#now()));
    }
    // The first event may come during the construction.
    (this.#statusPace as Pace | undefined)?.poke();
  }

  #now(): bigint {
    return this.#node.ports.clock.now();
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    this.#statusPace[Symbol.dispose]();
    this.#periodPace[Symbol.dispose]();
  }
}
