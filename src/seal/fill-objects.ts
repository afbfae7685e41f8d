import { defined } from '../core/defined.js';
import { FOXGLOVE_RECORD, foxgloveRecord } from '../core/foxglove-record.js';
import { vinOf, type Vins } from '../core/vin.js';
import { otherRecordId, type RobotRecord } from '../core/other-record.js';
import { ownId, type ObjectName } from '../core/object-name.js';
import type { FileSystem } from '../core/file-system.js';
import type { SegmentId } from '../core/segment-id.js';
import { isLeft } from '../wal/object-reader.js';
import type { SegmentChannel, SegmentMeta } from '../wal/segment-format.js';
import { SegmentReader, payloadIntact, type ReadBatch } from '../wal/segment-reader.js';
import { ObjectRouter, objectKeyOf } from './object-router.js';
import type { OpenObject } from './open-object.js';
import type { PlacedObject } from './placed-objects.js';
import { payloadGap } from './seal-gaps.js';
import type { SealRequest } from './seal-request.js';

/** The part of a survey that this needs. */
interface FilledSurvey {
  readonly meta: SegmentMeta | undefined;
  /** By robot. */
  readonly vins: Vins;
  /** Object files that become objects in their place, by object. */
  readonly files: ReadonlyMap<string, PlacedObject>;
}

/** Writes the records of a group of objects. Returns false if a damaged payload was found. */
export async function fillObjects(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  survey: FilledSurvey,
  objects: readonly OpenObject[],
): Promise<boolean> {
  let intact = true;
  const identity = survey.meta?.identity ?? request.identity;
  for (const { writer, survey: own } of objects) {
    const about = {
      segment: ownId(id, own.name),
      ...defined({ group: own.name.group }),
      robot: own.name.robot,
      ...defined({ vin: vinOf(survey.vins, own.name.robot) }),
      ...(id === request.id ? {} : { salvaged_from: request.id }),
      data_folder_id: identity.dataFolderId,
      machine_id: identity.machineId,
      boot_id: identity.bootId,
      session_id: identity.sessionId,
      hostname: identity.hostname,
    };
    await writer?.start(about, survey.meta?.tags);
    const record = request.foxglove && foxgloveRecord(request.foxglove, about.robot, about.segment);
    if (record) await writer?.addMetadata(FOXGLOVE_RECORD, record);
  }
  const channels = new Map<number, { channel: SegmentChannel; object: OpenObject }>();
  const others = new Set<string>();
  const router = new ObjectRouter(request.splitByPriority);
  const byKey = new Map(objects.map((object) => [objectKeyOf(object.survey.name), object]));
  const left = new Set([...survey.files.values()].map(({ file }) => file.number));
  const reader = new SegmentReader(fs, request.directory, true, left, request.walKeys);
  for await (const entry of reader.entries()) {
    switch (entry.kind) {
      case 'channel': {
        const { channel } = entry;
        const found = byKey.get(objectKeyOf(router.add(entry.id, channel)));
        if (!found?.writer) break;
        channels.set(entry.id, { channel, object: found });
        found.writer.addChannel(entry.id, channel);
        break;
      }
      case 'carried':
        intact = (await addBatch(entry.batch, request, channels, left, true)) && intact;
        break;
      case 'batch':
        intact = (await addBatch(entry.batch, request, channels, left, false)) && intact;
        break;
      case 'gap':
        objects.find(({ survey: { name } }) => isPlainOf(name, entry.gap.robot))?.gaps.add(entry.gap);
        break;
      case 'other':
        await addOther(entry.other, objects, others);
        break;
      case 'meta':
      case 'object':
      case 'clock':
      case 'end':
        break;
    }
  }
  return intact;
}

/** Writes into the robot's object with the plain name, once. `done` holds the ids of the written ones. */
async function addOther(
  other: RobotRecord,
  objects: readonly OpenObject[],
  done: Set<string>,
): Promise<void> {
  const id = otherRecordId(other);
  const target = objects.find(({ survey: { name } }) => isPlainOf(name, other.robot));
  if (!target?.writer || done.has(id)) return;
  done.add(id);
  const { record } = other;
  if (record.kind === 'metadata') await target.writer.addMetadata(record.name, record.metadata);
  else await target.writer.addAttachment(record);
}

/**
 * If a robot has several objects, the one with the plain name has the gaps: the survey makes sure that it
 * exists.
 */
function isPlainOf({ robot, priority, part, group }: ObjectName, of: string): boolean {
  return robot === of && priority === undefined && part === 0 && group === undefined;
}

async function addBatch(
  batch: ReadBatch,
  request: SealRequest,
  channels: ReadonlyMap<number, { channel: SegmentChannel; object: OpenObject }>,
  left: ReadonlySet<number>,
  carried: boolean,
): Promise<boolean> {
  const { columns, payload, firstSequence } = batch;
  let intact = true;
  let offset = 0;
  for (let i = 0; i < columns.channelIds.length; i++) {
    const length = columns.lengths[i] as number;
    const inPlace = isLeft(columns, i, left);
    const data = payload.subarray(offset, inPlace ? offset : offset + length);
    offset += data.byteLength;
    const sequence = firstSequence + i;
    if (!carried && sequence >= (request.cutAtSequence ?? Infinity)) return intact;
    const channelId = columns.channelIds[i] as number;
    const target = channels.get(channelId);
    if (!target) continue;
    const { object, channel } = target;
    const logTime = columns.receivedAt[i] as bigint;
    if (!inPlace && !payloadIntact(columns, i, data)) {
      intact = false;
      if (!carried) object.gaps.add(payloadGap(request.id, channel.robot, channel.topic, sequence, logTime));
      continue;
    }
    const publishTime = columns.publishedAt[i] as bigint;
    const sourceSequence = columns.sourceSequences?.[i] ?? -1;
    const record = { channelId, logTime, publishTime, sourceSequence, data };
    if (carried) {
      await object.writer?.addCarried(record, object.survey.firstLogTime ?? logTime);
      continue;
    }
    if (inPlace) object.writer?.addPlaced(record, length);
    else {
      // Most records fit into the current chunk, and waiting for nothing costs more than writing a small one.
      const chunkWritten = object.writer?.add(record);
      if (chunkWritten) await chunkWritten;
    }
    noteRange(object, sequence, logTime);
  }
  return intact;
}

function noteRange(object: OpenObject, sequence: number, logTime: bigint): void {
  if (object.firstSequence === 0) object.firstSequence = sequence;
  object.lastSequence = sequence;
  if (object.lastLogTime === undefined || logTime > object.lastLogTime) object.lastLogTime = logTime;
}
