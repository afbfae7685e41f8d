import { defined } from '../core/defined.js';
import { Emitter } from '../core/emitter.js';
import type { RecorderEvent } from '../core/events.js';
import type { Channel, Message } from '../core/message.js';
import type { ChannelRule } from '../ingest/channel-queue.js';
import type { BatchLimits } from '../ingest/batch.js';
import { DropLedger } from '../ingest/drop-ledger.js';
import { IngestBuffer } from '../ingest/ingest-buffer.js';
import { requireRecipients } from '../encryption/read-recipients.js';
import type { Recipient } from '../encryption/wrapped-key.js';
import { Retention } from '../seal/retention.js';
import { SealHere, type SegmentSealing } from '../seal/seal-here.js';
import { SealWorker } from '../seal/seal-in-worker.js';
import { Sealer } from '../seal/sealer.js';
import { Wal } from '../wal/wal.js';
import { ClockWatch } from './clock-watch.js';
import { ConditionWatch } from './condition-watch.js';
import { EventMarks } from './event-marks.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import { RecorderCondition } from './recorder-condition.js';
import { BufferFlow } from './recorder-flow.js';
import { batchLimits, bufferLimits, flowMarks, walLimits } from './recorder-limits.js';
import { DiskRoom } from './disk-room.js';
import { retentionOptions, type TakenFolder } from './recorder-folder.js';
import { RecorderMeters } from './recorder-meters.js';
import { MessageTap } from './recorder-tap.js';
import { TagBook } from './tag-book.js';
import type { SystemPorts } from '../host/ports.js';
import { rosDistribution } from '../host/ros-distribution.js';
import { version } from '../host/version.js';

/** The receivers of a recorder's events; they outlive single recorders. */
export interface RecorderListeners {
  readonly events: Emitter<RecorderEvent>;
  readonly tap: MessageTap;
}

export function recorderListeners({ logger }: Pick<SystemPorts, 'logger'>): RecorderListeners {
  return { events: new Emitter('recorder events', logger), tap: new MessageTap(logger) };
}

/** The inputs from which a recorder is assembled. */
interface RecorderContext extends TakenFolder {
  /** The present options. */
  options: RecorderOptions;
  readonly ports: SystemPorts;
  readonly listeners: RecorderListeners;
}

/** All parts of a recorder except its sources, which are opened for each activation. */
export interface RecorderParts extends RecorderContext {
  readonly buffer: IngestBuffer;
  readonly drops: DropLedger;
  readonly flow: BufferFlow;
  readonly room: DiskRoom;
  /** The present limits; `onLimits` reports changes. */
  readonly batchLimits: { -readonly [Limit in keyof BatchLimits]: BatchLimits[Limit] };
  readonly limitsChanged: Emitter<void>;
  readonly filterChanged: Emitter<void>;
  readonly wal: Wal;
  readonly sealer: Sealer;
  readonly worker: SegmentSealing;
  readonly retention: Retention;
  readonly meters: RecorderMeters;
  readonly clockWatch: ClockWatch;
  readonly condition: RecorderCondition;
  /** The policy of sync, and the topics that its conditions need. */
  readonly conditions: ConditionWatch;
  readonly marks: EventMarks;
  readonly tags: TagBook;
  /** Who can read what is sealed; empty: it is not encrypted. */
  readonly recipients: readonly Recipient[];
  /** The rules for a topic of a source that does not support backpressure. */
  readonly queueRule: (topic: string) => ChannelRule;
  /** Channels of sources that support backpressure: their queues block instead of dropping. */
  readonly backpressured: WeakSet<Channel>;
}

function openSealing(inThread: boolean): SegmentSealing {
  if (!inThread) return new SealHere();
  const worker = new SealWorker();
  worker.warm();
  return worker;
}

/** Connects the layers of one recorder. Nothing runs yet. */
export async function assembleRecorder(context: RecorderContext): Promise<RecorderParts> {
  const { options, ports, folder, listeners } = context;
  const { clock, random, logger } = ports;
  const condition = new RecorderCondition('recovering', (state, reason) =>
    listeners.events.emit({ kind: 'state', state, ...defined({ reason }) }),
  );
  const backpressured = new WeakSet<Channel>();
  const ruleFor = (channel: Channel): ChannelRule =>
    ruleOf(parts.options, channel.topic, backpressured.has(channel));
  const drops = new DropLedger(random);
  const buffer = new IngestBuffer(bufferLimits(options), ruleFor, drops);
  const worker = openSealing(options.seal.thread);
  const retention = await openRetention(context, () => room.sealBytes);
  const marks = await EventMarks.open(folder.events, ports);
  const latched = (): readonly Message[] => wal.latched.messages();
  const mayWriteValues = context.walKeys.length === 0;
  const conditions = await ConditionWatch.open(folder.root, { ...ports, latched, mayWriteValues });
  const onSpace = (): void => void retention.tick(sealer.unfinished());
  const onDiskFull = (): void => {
    retention.onDiskFull();
    onSpace();
  };
  const recipients = await requireRecipients(
    options.encryption.recipients,
    'encryption.recipients',
    ports.fs,
  );
  const sealer = makeSealer(context, {
    ...{ worker, retention, marks, conditions, recipients, onDiskFull, onSpace },
  });
  const wal = makeWal(context, { buffer, drops, condition, sealer, onDiskFull });
  const tags = await TagBook.open(folder.root, options.tags, ports, (now) => wal.retag(now));
  const room = new DiskRoom({ buffer, wal, sealer, retention });
  const { highBytes, highMessages } = flowMarks(options);
  const parts: RecorderParts = {
    ...context,
    buffer,
    drops,
    flow: new BufferFlow(buffer, highBytes, highMessages, () => room.isLeft),
    room,
    queueRule: (topic) => ruleOf(parts.options, topic, false),
    batchLimits: batchLimits(options),
    limitsChanged: new Emitter('batch limits', logger),
    filterChanged: new Emitter('the topic filter', logger),
    wal,
    sealer,
    worker,
    retention,
    meters: new RecorderMeters(buffer, options.vins),
    clockWatch: new ClockWatch(clock),
    condition,
    conditions,
    recipients,
    marks,
    tags,
    backpressured,
  };
  return parts;
}

function openRetention(
  { options, ports, folder, listeners }: RecorderContext,
  sealBytes: () => number,
): Promise<Retention> {
  return Retention.open(folder, retentionOptions(options), {
    ...ports,
    sealBytes,
    onEvicted: (evicted, reason) => {
      for (const { name, robot } of evicted) {
        listeners.events.emit({ kind: 'segment-evicted', segment: name, robot, reason });
      }
    },
  });
}

type Sealing = Pick<RecorderParts, 'worker' | 'retention' | 'marks' | 'conditions' | 'recipients'> & {
  readonly onDiskFull: () => void;
  /** A sealed segment can be evicted for commits that wait. */
  readonly onSpace: () => void;
};

function makeSealer(context: RecorderContext, parts: Sealing): Sealer {
  const { worker, retention, marks, conditions, recipients, onDiskFull, onSpace } = parts;
  const { options, ports, folder, identity, listeners, walKeys } = context;
  const { fs, clock, logger } = ports;
  const how = {
    ...options.seal,
    recipients,
    walKeys,
    splitByPriority: options.segment.splitByPriority,
    softwareVersion: version,
    nodeVersion: process.version,
    rosDistro: rosDistribution(),
  };
  return new Sealer(folder, how, {
    fs,
    clock,
    logger,
    identity,
    seal: (request) => worker.seal({ ...request, ...defined({ policy: conditions.policy }) }),
    onSealed: (manifests) => {
      retention.add(manifests);
      if (!retention.state.admits) onSpace();
      for (const manifest of manifests) listeners.events.emit({ kind: 'segment-sealed', manifest });
    },
    events: () => marks.all(),
    onDiskFull,
  });
}

type Writing = Pick<RecorderParts, 'buffer' | 'drops' | 'condition' | 'sealer'> & {
  readonly onDiskFull: () => void;
};

function makeWal(context: RecorderContext, parts: Writing): Wal {
  const { buffer, drops, condition, sealer, onDiskFull } = parts;
  const { options, ports, folder, identity, recovered, listeners, walKeys } = context;
  const { fs, clock, random, logger } = ports;
  const { vins } = options;
  const how = {
    ...{ durability: options.durability.mode, ...walLimits(options), softwareVersion: version, vins },
  };
  return new Wal(folder, recovered.head, identity, how, {
    fs,
    clock,
    random,
    logger,
    keys: walKeys,
    priorityOf: (channel) => buffer.knownQueue(channel)?.rule.priority ?? 'normal',
    groupOf: (channel) => buffer.knownQueue(channel)?.rule.group,
    onClosed: (segment) => sealer.enqueue({ ...segment, recovered: false }),
    onGaps: (gaps) => {
      for (const gap of gaps) {
        // Left out on request: nothing that anybody has to act on.
        if (gap.reason !== 'decimated') listeners.events.emit({ kind: 'gap', gap });
      }
    },
    onGapsUnsure: (gaps) => drops.putBack(gaps),
    onStall: (reason, detail) => {
      condition.stalledReason = reason === undefined ? undefined : `${reason}: ${detail}`;
      buffer.stalledBy = reason;
      if (reason === undefined) logger.info('commits work again');
      else logger.error('a commit failed, trying a new segment', { reason, detail });
      if (reason === 'disk_full') onDiskFull();
    },
  });
}

/**
 * The settings of one channel, from the rules. With `waits`, the source supports backpressure and nothing is
 * dropped.
 */
function ruleOf(options: RecorderOptions, topic: string, waits: boolean): ChannelRule {
  const matching = options.rules.filter((rule) => rule.topics.test(topic));
  const policy = matching.find((rule) => rule.policy)?.policy ?? 'drop-oldest';
  return {
    priority: matching.find((rule) => rule.priority)?.priority ?? 'normal',
    ...defined({ group: matching.find((rule) => rule.segment !== undefined)?.segment }),
    // A source without backpressure cannot block, so the queue drops its oldest messages.
    policy: waits ? 'block' : policy === 'block' ? 'drop-oldest' : policy,
    queueMaxBytes: matching.find((rule) => rule.queueMaxBytes)?.queueMaxBytes ?? options.queue.maxBytes,
  };
}
