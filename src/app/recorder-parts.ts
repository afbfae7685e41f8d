import type { DataFolder } from '../core/data-folder.js';
import type { Identity } from '../core/identity.js';
import type { Channel } from '../core/message.js';
import type { Source } from '../core/source.js';
import type { ChannelRule } from '../ingest/channel-queue.js';
import { DropLedger } from '../ingest/drop-ledger.js';
import { IngestBuffer } from '../ingest/ingest-buffer.js';
import { Retention, type RetentionOptions } from '../seal/retention.js';
import { SealWorker } from '../seal/seal-in-worker.js';
import { Sealer } from '../seal/sealer.js';
import type { RecoveredWal } from '../wal/recover.js';
import type { RoleLock } from '../wal/role-lock.js';
import { Wal } from '../wal/wal.js';
import { ClockWatch } from './clock-watch.js';
import type { RecorderOptions } from './parameters/recorder-options.js';
import { BufferFlow } from './recorder-flow.js';
import { RecorderMeters } from './recorder-meters.js';
import { RecordedSource, robotRule, topicFilter } from './recorder-source.js';
import type { SystemPorts } from './system/ports.js';
import { version } from './system/version.js';

/** A source together with how its topics map to robots. */
export interface RecorderInput {
  readonly source: Source;
  readonly robot: string;
  readonly robotFromNamespace: boolean;
}

/** What a recorder is assembled from. */
interface Ground {
  readonly options: RecorderOptions;
  readonly inputs: readonly RecorderInput[];
  readonly ports: SystemPorts;
  readonly folder: DataFolder;
  readonly lock: RoleLock;
  readonly identity: Identity;
  readonly recovered: RecoveredWal;
}

/** Everything a recorder is made of. */
export interface RecorderParts extends Ground {
  readonly buffer: IngestBuffer;
  readonly drops: DropLedger;
  readonly flow: BufferFlow;
  readonly wal: Wal;
  readonly sealer: Sealer;
  readonly worker: SealWorker;
  readonly retention: Retention;
  readonly sources: readonly RecordedSource[];
  readonly meters: RecorderMeters;
  readonly clockWatch: ClockWatch;
  readonly stopSources: AbortController;
  paused: boolean;
  stalledReason: string | undefined;
}

/** What retention goes by. */
export function retentionOptions(options: RecorderOptions): RetentionOptions {
  return {
    ...options.retention,
    ballastBytes: options.ballastBytes,
    segmentMaxBytes: options.segment.maxBytes,
  };
}

/** Wires the layers of one recorder; nothing runs yet. */
export async function assembleRecorder(ground: Ground): Promise<RecorderParts> {
  const { options, ports, folder, identity, recovered } = ground;
  const { fs, clock, random, logger } = ports;
  const backpressured = new WeakSet<Channel>();
  const ruleFor = (channel: Channel): ChannelRule => ruleOf(options, channel, backpressured.has(channel));
  const drops = new DropLedger(random);
  const buffer = new IngestBuffer(
    { totalMaxBytes: options.queue.totalMaxBytes, maxChannels: options.maxChannels },
    ruleFor,
    drops,
  );
  const worker = new SealWorker();
  const retention = await Retention.open(folder, retentionOptions(options), ports);
  const sealer = new Sealer(
    folder,
    {
      ...options.seal,
      splitByPriority: options.segment.splitByPriority,
      softwareVersion: version,
      nodeVersion: process.version,
    },
    {
      fs,
      clock,
      logger,
      identity,
      seal: (request) => worker.seal(request),
      onSealed: (manifests) => retention.add(manifests),
      onDiskFull: () => onDiskFull(),
    },
  );
  const onDiskFull = (): void => {
    retention.onDiskFull();
    void retention.tick(sealer.unfinished());
  };
  const wal = new Wal(
    folder,
    recovered.head,
    identity,
    {
      durability: options.durability.mode,
      intervalMs: options.durability.intervalMs,
      segmentMaxBytes: options.segment.maxBytes,
      segmentMaxAgeMs: options.segment.maxAgeMs,
      latchedMaxBytes: options.latchedMaxBytes,
      softwareVersion: version,
    },
    {
      fs,
      clock,
      random,
      logger,
      priorityOf: (channel) => buffer.queueOf(channel)?.rule.priority ?? 'normal',
      onClosed: (segment) => sealer.enqueue({ ...segment, recovered: false }),
      onStall: (reason, detail) => {
        parts.stalledReason = reason === undefined ? undefined : `${reason}: ${detail}`;
        buffer.stalledBy = reason;
        if (reason === undefined) logger.info('commits work again');
        else logger.error('a commit failed, a new segment is tried', { reason, detail });
        if (reason === 'disk_full') onDiskFull();
      },
    },
  );
  const flow = new BufferFlow(
    buffer,
    Math.min(options.queue.totalMaxBytes, options.queue.maxBytes) / 2,
    4 * options.batch.maxCount,
  );
  const stopSources = new AbortController();
  const wanted = topicFilter(options.filter);
  const sources = ground.inputs.map((input) => {
    const { source } = input;
    return new RecordedSource({
      source,
      robot: input.robot,
      context: {
        clock,
        logger,
        flow,
        robotOf: robotRule(input.robot, input.robotFromNamespace),
        wanted,
        signal: stopSources.signal,
      },
      buffer,
      logger,
      wanted,
      settledThrough: (channel) => wal.settledThrough(channel),
      afterKill: recovered.unclean,
      paused: () => parts.paused,
      onPausedDrop: (message) => {
        const queue = buffer.queueOf(message.channel);
        if (queue) {
          queue.received++;
          queue.receivedBytes += message.data.byteLength;
          queue.dropped++;
        }
        drops.drop(message, 'paused', queue === undefined || queue.length === 0);
      },
      onChannel: (channel) => {
        if (source.supports.backpressure) backpressured.add(channel);
      },
      forget: (channel) => {
        buffer.forget(channel);
        wal.forget(channel);
      },
    });
  });
  const parts: RecorderParts = {
    ...ground,
    buffer,
    drops,
    flow,
    wal,
    sealer,
    worker,
    retention,
    sources,
    meters: new RecorderMeters(buffer),
    clockWatch: new ClockWatch(clock),
    stopSources,
    paused: false,
    stalledReason: undefined,
  };
  return parts;
}

/** The rules' settings for one channel; a source that waits never drops. */
function ruleOf(options: RecorderOptions, channel: Channel, waits: boolean): ChannelRule {
  const matching = options.rules.filter((rule) => rule.topics.test(channel.topic));
  const policy = matching.find((rule) => rule.policy)?.policy ?? 'drop-oldest';
  return {
    priority: matching.find((rule) => rule.priority)?.priority ?? 'normal',
    // A source that cannot wait cannot block: its oldest messages give way.
    policy: waits ? 'block' : policy === 'block' ? 'drop-oldest' : policy,
    queueMaxBytes: matching.find((rule) => rule.queueMaxBytes)?.queueMaxBytes ?? options.queue.maxBytes,
  };
}
