import {
  anomalyRules,
  bytes,
  choice,
  count,
  deviceIds,
  duration,
  rate,
  regexes,
  sourceSpecs,
  tagList,
  text,
  toggle,
  topicRules,
  vinList,
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
      'Sources to record; several are possible. A robot name in front (robot_7=mcap:bag) assigns all topics of the source to that robot. @namespace= takes the robot from the first segment of each topic.',
  }),
  robot: text({
    role,
    default: '',
    placeholder: 'name',
    description:
      'Robot name for sources that do not set one, and for topics without a namespace if robot_from_namespace is true. Empty: the host name.',
  }),
  robot_from_namespace: toggle({
    role,
    default: false,
    description:
      'Takes the robot from the first segment of each topic (/robot_1/imu belongs to robot_1) for sources that do not set one. Simulated fleets always set it.',
  }),
  vins: vinList({
    role,
    flag: 'vin',
    description:
      'VIN of the vehicle that is recorded, or ROBOT=VIN for another robot than robot. It goes before a VIN in the metadata of channels (sources csv:, mcap:), and is in every manifest, so that the VIN leads to the recordings everywhere.',
  }),
  'topics.include': regexes({
    role,
    flag: 'include',
    description: 'Records only topics that match one of these. Unanchored: use ^ and $ for whole names.',
  }),
  'topics.exclude': regexes({
    role,
    flag: 'exclude',
    description: 'Leaves out topics that match one of these, even if topics.include matches them.',
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
      'Priority, queue policy, queue size and what is left out (max_hz, every; docs/sources.md) by topic, in order. For each setting the first matching rule that states it wins. Default: priority normal, policy drop-oldest. A source that supports backpressure (mcap:, sim:) always blocks instead of dropping; for any other source, block means drop-oldest.',
  }),
  tags: tagList({
    role,
    flag: 'tag',
    description:
      'Tags of the recorded segments, such as mission=m3 (docs/tags.md). A tag that was changed while the recorder ran keeps that value over a restart, unless it has changed here since.',
  }),
  max_channels: count(
    {
      role,
      default: 20_000,
      min: 1,
      max: 1_000_000,
      description:
        'Maximum number of channels in one recording. Further channels are refused, counted and logged.',
    },
    'channels',
  ),
  'queue.max_bytes': bytes({
    role,
    default: 64 * MIB,
    min: KIB,
    max: GIB,
    description:
      'Bound on the queue of one channel. A message larger than this is dropped as message_too_large, ' +
      'unless its policy is block.',
  }),
  'queue.total_max_bytes': bytes({
    role,
    default: 128 * MIB,
    min: KIB,
    max: 16 * GIB,
    description:
      'Maximum size of all queues together. Above it, the lowest priority class drops messages first.',
  }),
  'batch.max_bytes': bytes({
    role,
    default: 4 * MIB,
    min: KIB,
    max: 256 * MIB,
    description: 'Commits a batch when it reaches this size.',
  }),
  'batch.max_count': count(
    {
      role,
      default: 20_000,
      min: 1,
      max: 1_000_000,
      description: 'Commits a batch when it has this many messages.',
    },
    'messages',
  ),
  'batch.max_age_ms': duration({
    role,
    default: 20,
    min: 0,
    max: 10_000,
    description: 'Commits a batch at this age. A smaller value means a smaller loss window and more fsyncs.',
  }),
  'durability.mode': choice(
    {
      role,
      default: 'commit',
      description:
        'When commits are fsynced: each one (commit), in intervals (interval), or whenever the operating system writes them (os: survives a crash of the process but not a power cut). Sources are acknowledged after the fsync in every mode.',
    },
    ['commit', 'interval', 'os'],
  ),
  'durability.interval_ms': duration({
    role,
    default: 1_000,
    min: 1,
    max: 60_000,
    description: 'Time between fsyncs in mode interval. A power cut can lose this much.',
  }),
  'segment.max_bytes': bytes({
    role,
    default: 64 * MIB,
    min: 64 * KIB,
    max: GIB,
    description: 'Rolls and seals a segment at this size, before compression.',
  }),
  'segment.max_age_ms': duration({
    role,
    default: 60_000,
    min: 100,
    max: 86_400_000,
    description: 'Rolls and seals a segment with messages at this age.',
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
    description:
      'Level for zstd; higher is smaller and slower. At 1, segments that came at more than 4 MB/s take the faster -1.',
  }),
  'seal.chunk_bytes': bytes({
    role,
    default: MIB,
    min: KIB,
    max: 64 * MIB,
    description: 'Size of a chunk in sealed MCAPs before compression. Readers seek by chunk.',
  }),
  'seal.foxglove_project': text(
    {
      ...{ role, default: '', placeholder: 'id' },
      description:
        'Id of a Foxglove project, which each sealed MCAP has in its metadata record foxglove (docs/foxglove.md). Empty: not said.',
    },
    'an id without white space',
    (value) => !/\s/.test(value),
  ),
  'seal.foxglove_device': text({
    ...{ role, default: '', placeholder: 'name' },
    description:
      'Name of the Foxglove device in the metadata record foxglove of each sealed MCAP; {robot} stands for the name of the robot. Empty: not said.',
  }),
  'seal.foxglove_device_ids': deviceIds({
    role,
    description:
      'Ids of Foxglove devices by robot, in the metadata record foxglove of sealed MCAPs. A robot that has an id has no device name there.',
  }),
  'seal.foxglove_key': toggle({
    role,
    default: false,
    description:
      'Puts the id of the segment as key into the metadata record foxglove of each sealed MCAP, so that Foxglove imports it once.',
  }),
  'seal.in_place': choice(
    {
      role,
      default: 'auto',
      description:
        'Writes large payloads once, uncompressed, into the sealed MCAP from the start. With auto, sealing copies ' +
        'and compresses those that compress, up to the rate of seal.compress_limit; with always it never does.',
    },
    ['auto', 'always', 'never'],
  ),
  'seal.in_place_min_bytes': bytes({
    role,
    default: 64 * KIB,
    min: 4 * KIB,
    max: GIB,
    description:
      'Smallest payload that seal.in_place applies to. Smaller payloads are copied when a segment is sealed.',
  }),
  'seal.compress_limit': rate({
    role,
    default: 10e6,
    min: 0,
    max: TIB,
    description:
      'With seal.in_place auto: large payloads of a segment are compressed if they came at most at this rate. ' +
      '10 MB/s take about a tenth of a processor. Faster ones stay as they were written. 0: none are compressed.',
  }),
  'seal.thread': toggle({
    role,
    default: true,
    description:
      'Seals in a thread of its own. false: in the thread that records, which takes about 20 MB less and delays ' +
      'messages while a chunk is compressed. Only for a few MB/s.',
  }),
  'latched.max_bytes': bytes({
    role,
    default: 16 * MIB,
    min: 0,
    max: GIB,
    description:
      'Maximum size of the transient-local messages (/tf_static, /robot_description) that are carried into every segment. Messages beyond it are not carried, and the recorder logs that.',
  }),
  'retention.min_free_bytes': bytes({
    role,
    default: GIB,
    min: 0,
    max: 1024 * TIB,
    description:
      'Free disk space to keep. Below it, verified segments are evicted, oldest first. The floor is the smaller of this and min_free_percent.',
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
    description:
      'Maximum size of the data folder. Above it, verified segments are evicted, oldest first. 0: no limit.',
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
  'retention.confirm_max_age_ms': duration({
    role,
    default: 600_000,
    min: 1_000,
    max: 2_592_000_000,
    description:
      'How long it counts that a store said it holds a segment. Sync asks again before each eviction; while ' +
      'it cannot (dead, or the store offline), older answers count no more and the segment is kept.',
  }),
  'anomaly.rules': anomalyRules({
    role,
    flag: 'anomaly',
    description:
      'Detects anomalies in recorded messages and marks an event around each (docs/events.md): values far from earlier ones (zscore), beyond a limit (value), NaN or infinite (nan), unchanged (stuck), and topics whose rate changes. * in a topic or field matches any text. Empty: no detection.',
  }),
  'anomaly.before_ms': duration({
    role,
    default: 10_000,
    min: 0,
    max: 3_600_000,
    description: 'Time before an anomaly that its event covers.',
  }),
  'anomaly.after_ms': duration({
    role,
    default: 10_000,
    min: 0,
    max: 3_600_000,
    description: 'Time after an anomaly that its event covers.',
  }),
  'anomaly.cooldown_ms': duration({
    role,
    default: 60_000,
    min: 0,
    max: 86_400_000,
    description:
      'Time after a mark in which the same rule marks nothing more on the same topic. It still counts anomalies.',
  }),
  'anomaly.max_marks_per_hour': count(
    {
      role,
      default: 12,
      min: 0,
      max: 1_000,
      description:
        'Maximum number of marks of all rules together. Further anomalies are only counted. 0: marks none.',
    },
    'marks',
  ),
  'anomaly.budget_ms': duration({
    role,
    default: 50,
    min: 1,
    max: 500,
    description:
      'Time per second for inspecting messages. Messages beyond it are recorded without inspection, and counted.',
  }),
  data_access: choice(
    {
      role,
      default: 'owner',
      description:
        'Who may look into a data folder that is made: its owner (mode 0700), or also its group (0750). A folder ' +
        'that is there keeps its mode. For a group the umask must leave group members the right to read.',
    },
    ['owner', 'group'],
  ),
  ballast_bytes: bytes({
    role,
    flag: 'ballast',
    default: 160 * MIB,
    min: 0,
    max: 8 * GIB,
    description:
      'Disk space that is reserved, and released when the disk is full, so that the last segment can be closed and sealed. It should exceed the size of two segments. 0: none.',
  }),
} as const;
