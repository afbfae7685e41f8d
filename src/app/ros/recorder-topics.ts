import type { RecorderEvent } from '../../core/events.js';
import type { Alert } from '../../monitors/alerts/evaluate-alerts.js';
import type { RecorderControl } from '../recorder-control.js';
import { alertDiagnostic } from './alert-diagnostics.js';
import {
  diagnosticFields,
  recorderDiagnostics,
  RecentGrowth,
  type RecorderExpectations,
  type SourceProblem,
} from './diagnostics.js';
import type { MessageType } from './message-type.js';
import { NodePublisher } from './node-publisher.js';
import type { RunningNode } from './node-process.js';
import { Pace } from './pace.js';
import { rosMessages } from './ros-messages.js';
import { gapFields, recorderStatusFields, segmentSealedFields, topicStatsFields } from './status-fields.js';

/** Between two messages of one status topic. */
const STATUS_MIN_MS = 100;
const PERIOD_MS = 1_000;
/** Gaps come in storms; beyond this many waiting for a slow reader the oldest are gone. */
const GAP_DEPTH = 100;

/** What the recorder's node tells: its status, each topic's rates, what happens, and diagnostics. */
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

  constructor(
    private readonly node: RunningNode,
    private readonly recorder: RecorderControl,
    private readonly expectations: () => RecorderExpectations,
    private readonly problems: () => readonly SourceProblem[],
    private readonly alerts: () => readonly Alert[] = () => [],
  ) {
    const { session, logger } = node;
    const create = (type: MessageType, topic: string, depth?: number): NodePublisher =>
      NodePublisher.create(session, type, topic, logger, depth === undefined ? {} : { depth });
    this.#status = create(rosMessages.recorderStatus, '~/status');
    this.#stats = create(rosMessages.topicStatsArray, '~/topic_stats');
    this.#sealed = create(rosMessages.segmentSealed, '~/events/segment_sealed');
    this.#gaps = create(rosMessages.gap, '~/events/gap', GAP_DEPTH);
    this.#diagnostics = create(rosMessages.diagnosticArray, '/diagnostics');
    this.#unlisten = recorder.onEvent((event) => this.#tell(event));
    this.#statusPace = new Pace(() => this.publishStatus(), STATUS_MIN_MS, PERIOD_MS);
    this.#periodPace = new Pace(() => this.#publishPeriodic(), PERIOD_MS, PERIOD_MS);
  }

  publishStatus(): void {
    this.#status.publish(recorderStatusFields(this.recorder.status(), this.#now()));
  }

  #publishPeriodic(): void {
    const now = this.#now();
    this.#stats.publish(topicStatsFields(this.recorder.topics(), now));
    const all = recorderDiagnostics(
      this.recorder.status(),
      this.expectations(),
      this.#recent,
      this.problems(),
    );
    all.push(alertDiagnostic(this.alerts(), this.expectations().robot));
    this.#diagnostics.publish(diagnosticFields(all, this.node.fullName.slice(1), now));
  }

  #tell(event: RecorderEvent): void {
    if (event.kind === 'segment-sealed') {
      const { dataFolder } = this.recorder.status();
      this.#sealed.publish(segmentSealedFields(event.manifest, dataFolder, this.#now()));
    } else if (event.kind === 'gap') {
      this.#gaps.publish(gapFields(event.gap, this.#now()));
    }
    // The first event may come while this is being made.
    this.#statusPace?.poke();
  }

  #now(): bigint {
    return this.node.ports.clock.now();
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    this.#statusPace[Symbol.dispose]();
    this.#periodPace[Symbol.dispose]();
  }
}
