import {
  anomalyRules,
  bytes,
  choice,
  count,
  duration,
  regexes,
  sourceSpecs,
  text,
  toggle,
  topicRules,
} from './parameter.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const role = 'recorder';

/** Rows of the parameter table that only the recorder reads, in the order of the docs. */
export const recorderParameters = {
  sources: sourceSpecs({
    role,
    flag: 'source',
    description:
      'Where messages come from; several at once. A robot name in front (robot_7=mcap:bag) gives all its ' +
      'topics to that robot; @namespace= takes the robot from the first segment of each topic.',
  }),
  robot: text({
    role,
    default: '',
    placeholder: 'name',
    description:
      'Robot of sources that name none, and of topics without a namespace where the robot comes from it. ' +
      'Empty: the host name.',
  }),
  robot_from_namespace: toggle({
    role,
    default: false,
    description:
      'Takes the robot from the first segment of each topic (/robot_1/imu is of robot_1) for sources that ' +
      'do not say. Simulated fleets always do.',
  }),
  'topics.include': regexes({
    role,
    flag: 'include',
    description: 'Records only topics that match one of these. Unanchored: use ^ and $ for whole names.',
  }),
  'topics.exclude': regexes({
    role,
    flag: 'exclude',
    description: 'Leaves out topics that match one of these, even where included.',
  }),
  'types.include': regexes({
    role,
    flag: 'include-type',
    description: 'Records only types that match one of these, such as ^sensor_msgs/.',
  }),
  'types.exclude': regexes({
    role,
    flag: 'exclude-type',
    description: 'Leaves out types that match one of these.',
  }),
  rules: topicRules({
    role,
    flag: 'rule',
    description:
      'Priority, queue policy and queue size by topic, in order; for each setting the first matching rule ' +
      'that states it wins. Without one: priority normal, drop-oldest. A source that can wait (mcap:, sim:) ' +
      'always blocks instead of dropping; for one that cannot, block means drop-oldest.',
  }),
  max_channels: count(
    {
      role,
      default: 20_000,
      min: 1,
      max: 1_000_000,
      description: 'Bound on channels of one recording; further ones are refused, counted and logged.',
    },
    'channels',
  ),
  'queue.max_bytes': bytes({
    role,
    default: 64 * MIB,
    min: KIB,
    max: GIB,
    description:
      'Bound on the queue of one channel. A message larger than this is dropped as message_too_large.',
  }),
  'queue.total_max_bytes': bytes({
    role,
    default: 128 * MIB,
    min: KIB,
    max: 16 * GIB,
    description: 'Bound on all queues together; beyond it the lowest priority class loses first.',
  }),
  'batch.max_bytes': bytes({
    role,
    default: 4 * MIB,
    min: KIB,
    max: 256 * MIB,
    description: 'A batch is committed when it holds this much.',
  }),
  'batch.max_count': count(
    {
      role,
      default: 20_000,
      min: 1,
      max: 1_000_000,
      description: 'A batch is committed when it holds this many messages.',
    },
    'messages',
  ),
  'batch.max_age_ms': duration({
    role,
    default: 20,
    min: 0,
    max: 10_000,
    description: 'A batch is committed at this age. Smaller means a smaller loss window and more fsyncs.',
  }),
  'durability.mode': choice(
    {
      role,
      default: 'commit',
      description:
        'When commits are fsynced: each one (commit), every interval (interval), or when the operating ' +
        'system likes (os, survives a crash of the process, not a power cut). Sources are acknowledged ' +
        'after the fsync in every mode.',
    },
    ['commit', 'interval', 'os'],
  ),
  'durability.interval_ms': duration({
    role,
    default: 1_000,
    min: 1,
    max: 60_000,
    description: 'Time between fsyncs in mode interval: what a power cut can lose.',
  }),
  'segment.max_bytes': bytes({
    role,
    default: 64 * MIB,
    min: 64 * KIB,
    max: GIB,
    description: 'A segment is rolled and sealed at this size (before compression).',
  }),
  'segment.max_age_ms': duration({
    role,
    default: 60_000,
    min: 100,
    max: 86_400_000,
    description: 'A segment that holds messages is rolled and sealed at this age.',
  }),
  'segment.split_by_priority': toggle({
    role,
    default: false,
    description: 'Gives each priority class segments of its own, so that retention can drop a class.',
  }),
  'seal.compression': choice(
    {
      role,
      flag: 'compression',
      default: 'zstd',
      description: 'Compression of the chunks in sealed MCAPs.',
    },
    ['zstd', 'lz4', 'none'],
  ),
  'seal.compression_level': count({
    role,
    flag: 'compression-level',
    default: 1,
    min: 1,
    max: 19,
    description: 'Level for zstd; higher is smaller and slower.',
  }),
  'seal.chunk_bytes': bytes({
    role,
    default: MIB,
    min: KIB,
    max: 64 * MIB,
    description: 'Size of a chunk in sealed MCAPs before compression: the unit a reader seeks by.',
  }),
  'latched.max_bytes': bytes({
    role,
    default: 16 * MIB,
    min: 0,
    max: GIB,
    description:
      'Bound on transient-local messages (/tf_static, /robot_description) carried into every segment; ' +
      'what exceeds it is not carried, and logged.',
  }),
  'retention.min_free_bytes': bytes({
    role,
    default: GIB,
    min: 0,
    max: 1024 * TIB,
    description:
      'Free disk space to keep; below it verified segments are evicted, oldest first. The floor is the ' +
      'smaller of this and min_free_percent.',
  }),
  'retention.min_free_percent': count(
    {
      role,
      default: 5,
      min: 0,
      max: 90,
      description: 'Free disk space to keep, in percent of the disk; see min_free_bytes.',
    },
    '%',
  ),
  'retention.max_bytes': bytes({
    role,
    default: 0,
    min: 0,
    max: 1024 * TIB,
    description: 'Bound on the data folder; above it verified segments are evicted, oldest first. 0: none.',
  }),
  'retention.when_full': choice(
    {
      role,
      default: 'stop',
      description:
        'When space is short and nothing verified is left: stop recording until there is room, evict the ' +
        'oldest segment, or evict the oldest of the lowest priority class. Each eviction leaves a tombstone.',
    },
    ['stop', 'drop-oldest', 'drop-lowest'],
  ),
  'anomaly.rules': anomalyRules({
    role,
    flag: 'anomaly',
    description:
      'Looks for anomalies in what is recorded and marks an event around each (docs/events.md): values far ' +
      'from those before (zscore), beyond a limit (value), NaN or infinite (nan), unchanged (stuck), topics ' +
      'whose rate changes. * in a topic or field stands for any text. Empty: none are looked for.',
  }),
  'anomaly.before_ms': duration({
    role,
    default: 10_000,
    min: 0,
    max: 3_600_000,
    description: 'How far the event that is marked reaches back from an anomaly.',
  }),
  'anomaly.after_ms': duration({
    role,
    default: 10_000,
    min: 0,
    max: 3_600_000,
    description: 'How far it reaches ahead.',
  }),
  'anomaly.cooldown_ms': duration({
    role,
    default: 60_000,
    min: 0,
    max: 86_400_000,
    description: 'After a mark the same rule marks nothing more of the same topic for so long; it counts on.',
  }),
  'anomaly.max_marks_per_hour': count(
    {
      role,
      default: 12,
      min: 0,
      max: 1_000,
      description:
        'Bound on marks of all rules together; beyond it anomalies are counted only. 0: none is marked.',
    },
    'marks',
  ),
  'anomaly.budget_ms': duration({
    role,
    default: 50,
    min: 1,
    max: 500,
    description:
      'Time in each second for looking into messages; what exceeds it is recorded all the same, not looked ' +
      'into, and counted.',
  }),
  ballast_bytes: bytes({
    role,
    flag: 'ballast',
    default: 160 * MIB,
    min: 0,
    max: 8 * GIB,
    description:
      'Space reserved on the disk and released when it is full, so that the last segment can be closed ' +
      'and sealed. Should exceed two segments. 0: none.',
  }),
} as const;
