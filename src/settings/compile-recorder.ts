import { changedTags, TAGS_MAX } from '../core/tags.js';
import { VINS_MAX } from '../core/vin.js';
import { MAX_ANOMALY_RULES } from './anomaly-options.js';
import { CrossCheck } from './cross-check.js';
import { deepFreeze } from './deep-freeze.js';
import type { RecorderOptions } from './recorder-options.js';
import type { Resolved } from './resolve.js';
import { completeSource } from './source-spec.js';
import { formatBytes } from './units.js';

/** Facts of the machine from which defaults follow. */
export interface HostFacts {
  readonly hostname: string;
}

/**
 * The recorder's options from the resolved parameters. Throws `CONFIG_INVALID` with all faults, including
 * those between parameters. A limit with its default value gives way to a smaller one that was set.
 */
export function compileRecorderOptions(resolved: Resolved, host: HostFacts): RecorderOptions {
  const check = new CrossCheck(resolved);
  const options = recorderOptions(resolved, host, check);
  checkBetween(resolved.values, check);
  check.done();
  return deepFreeze(options);
}

function recorderOptions(resolved: Resolved, host: HostFacts, check: CrossCheck): RecorderOptions {
  const { values } = resolved;
  const segmentMaxBytes = values['segment.max_bytes'];
  const general = {
    robot: values.robot === '' ? host.hostname : values.robot,
    robotFromNamespace: values.robot_from_namespace,
  };
  return {
    data: values.data,
    sources: values.sources.map((spec) => completeSource(spec, general)),
    filter: {
      includeTopics: values['topics.include'],
      excludeTopics: values['topics.exclude'],
      includeTypes: values['types.include'],
      excludeTypes: values['types.exclude'],
    },
    rules: values.rules,
    maxChannels: values.max_channels,
    tags: changedTags({}, Object.fromEntries(values.tags)),
    vins: Object.fromEntries(values.vins.map(({ robot = general.robot, vin }) => [robot, vin])),
    queue: {
      maxBytes: check.atMost('queue.max_bytes', 'queue.total_max_bytes'),
      totalMaxBytes: values['queue.total_max_bytes'],
    },
    batch: {
      maxBytes: check.atMost('batch.max_bytes', 'segment.max_bytes'),
      maxCount: values['batch.max_count'],
      maxAgeMs: values['batch.max_age_ms'],
    },
    durability: { mode: values['durability.mode'], intervalMs: values['durability.interval_ms'] },
    segment: {
      maxBytes: segmentMaxBytes,
      maxAgeMs: values['segment.max_age_ms'],
      splitByPriority: values['segment.split_by_priority'],
    },
    seal: {
      compression: values['seal.compression'],
      level: values['seal.compression_level'],
      chunkBytes: check.atMost('seal.chunk_bytes', 'segment.max_bytes'),
      inPlace: values['seal.in_place'],
      inPlaceMinBytes: values['seal.in_place_min_bytes'],
      compressMaxBytesPerS: values['seal.compress_limit'],
      foxglove: foxgloveOptions(values),
      thread: values['seal.thread'],
    },
    encryption: encryptionOptions(values),
    latchedMaxBytes: values['latched.max_bytes'],
    retention: {
      minFreeBytes: values['retention.min_free_bytes'],
      minFreePercent: values['retention.min_free_percent'],
      maxBytes: values['retention.max_bytes'],
      whenFull: values['retention.when_full'],
      confirmMaxAgeMs: values['retention.confirm_max_age_ms'],
    },
    anomaly: anomalyOptions(values),
    dataAccess: values.data_access,
    // Closing one segment and sealing it needs about two; half a segment more for the manifest and slack.
    ballastBytes:
      resolved.origin.ballast_bytes === 'default'
        ? Math.min(values.ballast_bytes, Math.ceil(segmentMaxBytes * 2.5))
        : values.ballast_bytes,
  };
}

function anomalyOptions(values: Resolved['values']): RecorderOptions['anomaly'] {
  return {
    rules: values['anomaly.rules'],
    beforeMs: values['anomaly.before_ms'],
    afterMs: values['anomaly.after_ms'],
    cooldownMs: values['anomaly.cooldown_ms'],
    maxMarksPerHour: values['anomaly.max_marks_per_hour'],
    budgetMs: values['anomaly.budget_ms'],
    // A key at rest needs recipients.
    hidesValues: values['encryption.recipients'].length > 0,
  };
}

function encryptionOptions(values: Resolved['values']): RecorderOptions['encryption'] {
  return { recipients: values['encryption.recipients'], atRestKey: values['encryption.at_rest_key'] };
}

function foxgloveOptions(values: Resolved['values']): RecorderOptions['seal']['foxglove'] {
  return {
    project: values['seal.foxglove_project'],
    device: values['seal.foxglove_device'],
    deviceIds: Object.fromEntries(values['seal.foxglove_device_ids']),
    key: values['seal.foxglove_key'],
  };
}

/** Faults that only exist between two parameters. */
function checkBetween(values: Resolved['values'], check: CrossCheck): void {
  const segmentMaxBytes = values['segment.max_bytes'];
  const queueTotal = values['queue.total_max_bytes'];
  for (const rule of values.rules) {
    if (rule.queueMaxBytes !== undefined && rule.queueMaxBytes > queueTotal) {
      check.fault(
        'rules',
        formatBytes(rule.queueMaxBytes),
        `a queue of at most queue.total_max_bytes (${formatBytes(queueTotal)})`,
      );
    }
  }
  checkAtRestKey(values, check);
  const texts = values['anomaly.rules'].map(({ text }) => text);
  const repeated = texts.filter((text, index) => texts.indexOf(text) !== index);
  for (const text of new Set(repeated)) check.fault('anomaly.rules', text, 'each rule once');
  if (texts.length > MAX_ANOMALY_RULES) {
    check.fault('anomaly.rules', `${texts.length} rules`, `at most ${MAX_ANOMALY_RULES}`);
  }
  const vehicles = values.vins.map(({ robot = values.robot }) => robot);
  if (new Set(vehicles).size < vehicles.length) check.fault('vins', vehicles, 'one VIN for each robot');
  if (vehicles.length > VINS_MAX) check.fault('vins', `${vehicles.length} VINs`, `at most ${VINS_MAX}`);
  const tagNames = values.tags.map(([name]) => name);
  if (new Set(tagNames).size < tagNames.length) check.fault('tags', tagNames, 'each name once');
  if (tagNames.length > TAGS_MAX) check.fault('tags', `${tagNames.length} tags`, `at most ${TAGS_MAX}`);
  const quota = values['retention.max_bytes'];
  if (quota !== 0 && quota < 2 * segmentMaxBytes) {
    check.fault(
      'retention.max_bytes',
      formatBytes(quota),
      `0 or at least two segments (${formatBytes(2 * segmentMaxBytes)})`,
    );
  }
}

/** Half of an encryption is a mistake, and object files cannot be encrypted. */
function checkAtRestKey(values: Resolved['values'], check: CrossCheck): void {
  const path = values['encryption.at_rest_key'];
  if (path === '') return;
  if (values['encryption.recipients'].length === 0) {
    check.fault(
      'encryption.at_rest_key',
      path,
      'together with encryption.recipients, without which sealed segments are readable',
    );
  }
  if (values['seal.in_place'] === 'always') {
    check.fault(
      'seal.in_place',
      'always',
      'auto or never with encryption.at_rest_key, which writes nothing in place',
    );
  }
}
