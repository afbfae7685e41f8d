import { Emitter } from '../core/emitter.js';
import type { RecorderEvent } from '../core/events.js';
import type { Channel } from '../core/message.js';
import type { ChannelRule } from '../ingest/channel-queue.js';
import type { BatchLimits } from '../ingest/batch.js';
import { DropLedger } from '../ingest/drop-ledger.js';
import { IngestBuffer } from '../ingest/ingest-buffer.js';
import { Retention } from '../seal/retention.js';
import { SealWorker } from '../seal/seal-in-worker.js';
import { Sealer } from '../seal/sealer.js';
import { Wal } from '../wal/wal.js';
import { ClockWatch } from './clock-watch.js';
import { EventMarks } from './event-marks.js';
import type { RecorderOptions } from './parameters/recorder-options.js';
import { RecorderCondition } from './recorder-condition.js';
import { BufferFlow } from './recorder-flow.js';
import { batchLimits, bufferLimits, flowMarks, walLimits } from './recorder-limits.js';
import { DiskRoom } from './disk-room.js';
import { retentionOptions, type TakenFolder } from './recorder-folder.js';
import { RecorderMeters } from './recorder-meters.js';
import { MessageTap } from './recorder-tap.js';
import type { SystemPorts } from './system/ports.js';
import { version } from './system/version.js';

/** Who is told what a recorder does; outlives single recorders. */
export interface RecorderVoice {
  readonly events: Emitter<RecorderEvent>;
  readonly tap: MessageTap;
}

export function recorderVoice({ logger }: Pick<SystemPorts, 'logger'>): RecorderVoice {
  return { events: new Emitter('recorder events', logger), tap: new MessageTap(logger) };
}

/** What a recorder is assembled from. */
interface Ground extends TakenFolder {
  /** In force now. */
  options: RecorderOptions;
  readonly ports: SystemPorts;
  readonly voice: RecorderVoice;
}

/** Everything a recorder is made of but its sources, which come and go with each activation. */
export interface RecorderParts extends Ground {
  readonly buffer: IngestBuffer;
  readonly drops: DropLedger;
  readonly flow: BufferFlow;
  readonly room: DiskRoom;
  /** In force now; told by `onLimits`. */
  readonly batchLimits: { -readonly [Limit in keyof BatchLimits]: BatchLimits[Limit] };
  readonly limitsChanged: Emitter<void>;
  readonly filterChanged: Emitter<void>;
  readonly wal: Wal;
  readonly sealer: Sealer;
  readonly worker: SealWorker;
  readonly retention: Retention;
  readonly meters: RecorderMeters;
  readonly clockWatch: ClockWatch;
  readonly condition: RecorderCondition;
  readonly marks: EventMarks;
  /** Channels of sources that can wait: their queues block instead of dropping. */
  readonly backpressured: WeakSet<Channel>;
}

/** Wires the layers of one recorder; nothing runs yet. */
export async function assembleRecorder(ground: Ground): Promise<RecorderParts> {
  const { options, ports, folder, identity, recovered, voice } = ground;
  const { fs, clock, random, logger } = ports;
  const { events } = voice;
  const condition = new RecorderCondition('recovering', (state, reason) =>
    events.emit({ kind: 'state', state, ...(reason === undefined ? {} : { reason }) }),
  );
  const backpressured = new WeakSet<Channel>();
  const ruleFor = (channel: Channel): ChannelRule =>
    ruleOf(parts.options, channel, backpressured.has(channel));
  const drops = new DropLedger(random);
  const buffer = new IngestBuffer(bufferLimits(options), ruleFor, drops);
  const worker = new SealWorker();
  const retention = await Retention.open(folder, retentionOptions(options), {
    ...ports,
    onEvicted: (evicted, reason) => {
      for (const { name, robot } of evicted) {
        events.emit({ kind: 'segment-evicted', segment: name, robot, reason });
      }
    },
  });
  const marks = await EventMarks.open(folder.events, ports);
  const sealer = new Sealer(
    folder,
    {
      ...options.seal,
      splitByPriority: options.segment.splitByPriority,
      softwareVersion: version,
      nodeVersion: process.version,
      rosDistro: process.env['ROS_DISTRO'] ?? '',
    },
    {
      fs,
      clock,
      logger,
      identity,
      seal: (request) => worker.seal(request),
      onSealed: (manifests) => {
        retention.add(manifests);
        for (const manifest of manifests) events.emit({ kind: 'segment-sealed', manifest });
      },
      events: () => marks.all(),
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
    { durability: options.durability.mode, ...walLimits(options), softwareVersion: version },
    {
      fs,
      clock,
      random,
      logger,
      priorityOf: (channel) => buffer.knownQueue(channel)?.rule.priority ?? 'normal',
      onClosed: (segment) => sealer.enqueue({ ...segment, recovered: false }),
      onGaps: (gaps) => {
        for (const gap of gaps) events.emit({ kind: 'gap', gap });
      },
      onStall: (reason, detail) => {
        condition.stalledReason = reason === undefined ? undefined : `${reason}: ${detail}`;
        buffer.stalledBy = reason;
        if (reason === undefined) logger.info('commits work again');
        else logger.error('a commit failed, a new segment is tried', { reason, detail });
        if (reason === 'disk_full') onDiskFull();
      },
    },
  );
  const room = new DiskRoom({ buffer, wal, sealer, retention });
  const { highBytes, highMessages } = flowMarks(options);
  const parts: RecorderParts = {
    ...ground,
    buffer,
    drops,
    flow: new BufferFlow(buffer, highBytes, highMessages, () => room.isLeft),
    room,
    batchLimits: batchLimits(options),
    limitsChanged: new Emitter('batch limits', logger),
    filterChanged: new Emitter('the topic filter', logger),
    wal,
    sealer,
    worker,
    retention,
    meters: new RecorderMeters(buffer),
    clockWatch: new ClockWatch(clock),
    condition,
    marks,
    backpressured,
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
