import type { AnomalyStatus, RobotStatus } from '../../core/status.js';
import { histogramSamples } from './histogram-samples.js';
import type { Known } from './known.js';
import { one, type Metric, type Sample } from './metric.js';
import { OTHERS } from './top-topics.js';

const ROBOTS_MAX = 100;
const states = ['recovering', 'inactive', 'recording', 'paused', 'draining', 'stalled', 'stopped'] as const;

/** Robots beyond the limit are summed up. */
function perRobot(value: (robot: RobotStatus) => number): (known: Known) => readonly Sample[] {
  return ({ status }) => {
    const { robots } = status.recorder;
    const named = robots
      .slice(0, ROBOTS_MAX)
      .map((robot) => ({ labels: { robot: robot.robot }, value: value(robot) }));
    const rest = robots.slice(ROBOTS_MAX);
    if (rest.length === 0) return named;
    return [
      ...named,
      { labels: { robot: OTHERS }, value: rest.reduce((sum, robot) => sum + value(robot), 0) },
    ];
  };
}

type TopicValue = (topic: Known['topics'][number]) => number;

function perTopic(value: TopicValue): (known: Known) => readonly Sample[] {
  return ({ topics }) =>
    topics.map((topic) => ({ labels: { robot: topic.robot, topic: topic.topic }, value: value(topic) }));
}

/** By rule; the rules are a bounded list. */
function perAnomalyRule(
  value: (rule: AnomalyStatus['rules'][number]) => number,
): (known: Known) => readonly Sample[] {
  return ({ status }) =>
    (status.recorder.anomalies?.rules ?? []).map((rule) => ({
      labels: { rule: rule.rule },
      value: value(rule),
    }));
}

const seconds = (ms: number): number => ms / 1_000;

/** Metrics of the recorder itself. */
export const recorderMetrics: readonly Metric<Known>[] = [
  {
    name: 'holdfast_build_info',
    help: 'Always 1; the version is a label.',
    type: 'gauge',
    samples: ({ status }) => [{ value: 1, labels: { version: status.recorder.version } }],
  },
  {
    name: 'holdfast_recorder_state',
    help: '1 for the state the recorder is in, 0 for the others.',
    type: 'gauge',
    samples: ({ status }) =>
      states.map((state) => ({ labels: { state }, value: status.recorder.state === state ? 1 : 0 })),
  },
  {
    name: 'holdfast_received_messages_total',
    help: 'Messages taken in, by robot.',
    type: 'counter',
    samples: perRobot(({ received }) => received),
  },
  {
    name: 'holdfast_received_bytes_total',
    help: 'Payload bytes taken in.',
    type: 'counter',
    samples: ({ status }) => one(status.recorder.totals.receivedBytes),
  },
  {
    name: 'holdfast_durable_messages_total',
    help: 'Messages whose commit was fsynced, by robot.',
    type: 'counter',
    samples: perRobot(({ durable }) => durable),
  },
  {
    name: 'holdfast_durable_bytes_total',
    help: 'Payload bytes whose commit was fsynced.',
    type: 'counter',
    samples: ({ status }) => one(status.recorder.totals.durableBytes),
  },
  {
    name: 'holdfast_dropped_messages_total',
    help: 'Messages that are not in the recording, each accounted for by a gap, by reason.',
    type: 'counter',
    samples: ({ status }) =>
      Object.entries(status.recorder.totals.droppedByReason).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
  },
  {
    name: 'holdfast_robot_dropped_messages_total',
    help: 'Messages dropped by this recorder, by robot.',
    type: 'counter',
    samples: perRobot(({ dropped }) => dropped),
  },
  {
    name: 'holdfast_decimated_messages_total',
    help: 'Messages left out by a rule (max_hz, every), by robot; they are not dropped.',
    type: 'counter',
    samples: perRobot(({ decimated }) => decimated),
  },
  {
    name: 'holdfast_loss_window_seconds',
    help: 'Age of the oldest message that is not durable yet: what a kill now would lose.',
    type: 'gauge',
    samples: ({ status }) => one(seconds(status.recorder.lossWindow.ms)),
  },
  {
    name: 'holdfast_loss_window_max_seconds',
    help: 'The largest loss window since the start.',
    type: 'gauge',
    samples: ({ status }) => one(seconds(status.recorder.lossWindow.maxMs)),
  },
  {
    name: 'holdfast_loss_window_messages',
    help: 'Messages that are not durable yet.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.lossWindow.messages),
  },
  {
    name: 'holdfast_commit_duration_seconds',
    help: 'How long commits took, fsync included.',
    type: 'histogram',
    samples: ({ status }) => histogramSamples(status.recorder.commits.durations),
  },
  {
    name: 'holdfast_commit_failures_total',
    help: 'Commits the disk refused.',
    type: 'counter',
    samples: ({ status }) => one(status.recorder.commits.failed),
  },
  {
    name: 'holdfast_queue_bytes',
    help: 'Payload bytes waiting for a commit.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.queue.bytes),
  },
  {
    name: 'holdfast_queue_limit_bytes',
    help: 'Bound of the queues together.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.queue.maxBytes),
  },
  {
    name: 'holdfast_queue_fill_ratio',
    help: 'How full the queues are, 0 to 1.',
    type: 'gauge',
    samples: ({ status: { recorder } }) => one(recorder.queue.bytes / Math.max(1, recorder.queue.maxBytes)),
  },
  {
    name: 'holdfast_wal_bytes',
    help: 'Bytes of the open WAL segment.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.wal.openBytes),
  },
  {
    name: 'holdfast_wal_waiting_segments',
    help: 'Closed WAL segments that wait to be sealed.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.wal.waiting),
  },
  {
    name: 'holdfast_wal_set_aside_segments',
    help: 'WAL segments that could not be sealed in any way: their messages are in no MCAP.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.wal.setAside ?? 0),
  },
  {
    name: 'holdfast_sealed_segments',
    help: 'Sealed segments on this disk.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.sealed.segments),
  },
  {
    name: 'holdfast_seal_recipients',
    help: 'Recipients that can read what is sealed; 0: it is not encrypted.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.encryptedFor?.length ?? 0),
  },
  {
    name: 'holdfast_wal_encrypted',
    help: '1 if what is not sealed yet is encrypted, with the name of its key as a label; otherwise 0.',
    type: 'gauge',
    samples: ({ status: { recorder } }) =>
      recorder.atRestKeyName === undefined ? one(0) : [{ value: 1, labels: { key: recorder.atRestKeyName } }],
  },
  {
    name: 'holdfast_sealed_bytes',
    help: 'Bytes of the sealed segments on this disk.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.sealed.bytes),
  },
  {
    name: 'holdfast_evicted_segments_total',
    help: 'Segments deleted from this disk by retention.',
    type: 'counter',
    samples: ({ status }) => one(status.recorder.disk.evictedSegments),
  },
  {
    name: 'holdfast_quarantined_segments',
    help: 'Damaged segments in quarantine.',
    type: 'gauge',
    samples: ({ quarantined }) => one(quarantined),
  },
  {
    name: 'holdfast_disk_free_bytes',
    help: 'Free bytes of the disk of the data folder.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.disk.freeBytes),
  },
  {
    name: 'holdfast_disk_size_bytes',
    help: 'Size of the disk of the data folder.',
    type: 'gauge',
    samples: ({ status }) => one(status.recorder.disk.totalBytes),
  },
  {
    name: 'holdfast_disk_time_to_full_seconds',
    help: 'Until the disk is full at the present rate; absent while it does not shrink.',
    type: 'gauge',
    samples: ({ status }) =>
      one(status.diskTimeToFullMs === null ? undefined : seconds(status.diskTimeToFullMs)),
  },
  {
    name: 'holdfast_topic_received_messages_total',
    help: 'Messages taken in of the topics with the most bytes; the rest is one sum.',
    type: 'counter',
    samples: perTopic(({ received }) => received),
  },
  {
    name: 'holdfast_topic_received_bytes_total',
    help: 'Payload bytes taken in of the topics with the most bytes; the rest is one sum.',
    type: 'counter',
    samples: perTopic(({ receivedBytes }) => receivedBytes),
  },
  {
    name: 'holdfast_topic_dropped_messages_total',
    help: 'Messages dropped of the topics with the most bytes; the rest is one sum.',
    type: 'counter',
    samples: perTopic(({ dropped }) => dropped),
  },
  {
    name: 'holdfast_anomalies_total',
    help: 'Anomalies that began, by rule; absent without rules.',
    type: 'counter',
    samples: perAnomalyRule(({ seen }) => seen),
  },
  {
    name: 'holdfast_anomaly_marks_total',
    help: 'Events marked because of an anomaly, by rule.',
    type: 'counter',
    samples: perAnomalyRule(({ marked }) => marked),
  },
  {
    name: 'holdfast_anomaly_skipped_messages_total',
    help: 'Messages not looked into for anomalies: the time or the room for it was used up.',
    type: 'counter',
    samples: ({ status }) => one(status.recorder.anomalies?.skipped),
  },
];
