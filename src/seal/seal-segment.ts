import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import { overlapsEvent } from '../core/event-files.js';
import type { MarkedEvent } from '../core/events.js';
import type { FileSystem } from '../core/file-system.js';
import type { Gap } from '../core/gap.js';
import type { Identity } from '../core/identity.js';
import { MANIFEST_VERSION, encodeManifest, gapsForManifest, type Manifest } from '../core/manifest.js';
import { segmentNumber, type SegmentId } from '../core/segment-id.js';
import type { SegmentChannel } from '../wal/segment-format.js';
import { SegmentReader, payloadIntact, type ReadBatch, type SegmentReport } from '../wal/segment-reader.js';
import type { Compression } from './compression.js';
import { objectKey } from './object-name.js';
import type { ObjectContent } from './object-writer.js';
import { abandonObjects, manifestName, openObjects, type OpenObject } from './open-object.js';
import { payloadGap, stateGaps, salvageIdSource } from './seal-gaps.js';
import { surveySegment, type ObjectSurvey, type SegmentSurvey } from './segment-survey.js';

/** Marked events told in one object, the latest; manifests stay small. */
const MAX_EVENTS = 100;

/** Everything a seal needs to know; plain data, since it crosses into a worker. */
export interface SealRequest {
  readonly id: SegmentId;
  readonly directory: string;
  readonly sealedFolder: string;
  /** Records from this WAL sequence on belong to a later segment; absent: none do. */
  readonly cutAtSequence?: number;
  readonly compression: Compression;
  readonly level: number;
  readonly chunkBytes: number;
  readonly splitByPriority: boolean;
  /** Check every payload before anything is written: for segments an earlier process left behind. */
  readonly verifyPayloads: boolean;
  readonly softwareVersion: string;
  readonly nodeVersion: string;
  /** ROS distribution of this machine; absent: none. */
  readonly rosDistro?: string;
  /** Nanoseconds since the Unix epoch. */
  readonly sealedAt: bigint;
  /** Used where the segment's own is unreadable. */
  readonly identity: Identity;
  /** Written into the objects that overlap their windows. */
  readonly events?: readonly MarkedEvent[];
}

export interface SealResult {
  readonly manifests: readonly Manifest[];
  readonly report: SegmentReport;
  /** The segment is damaged: what was readable is sealed under this other id. */
  readonly salvagedAs?: SegmentId;
}

/**
 * Turns a closed WAL segment into one standalone MCAP per robot (and priority class), each with its manifest,
 * durable when this resolves. Reads the segment from its files and never changes it. Repeatable: an object
 * whose manifest exists is left alone, so a crash anywhere is mended by sealing again.
 * Throws `SEAL_FAILED` or `DISK_FULL`.
 */
export async function sealSegment(fs: FileSystem, request: SealRequest): Promise<SealResult> {
  try {
    const trusted = await sealOnce(fs, request, request.verifyPayloads);
    // Payload damage shows only while copying: then everything is read again, as a damaged segment.
    return trusted ?? ((await sealOnce(fs, request, true)) as SealResult);
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    const full = systemCode(cause) === 'ENOSPC' || systemCode(cause) === 'EDQUOT';
    throw new HoldfastError(full ? 'DISK_FULL' : 'SEAL_FAILED', `cannot seal segment ${request.id}`, {
      cause,
    });
  }
}

/** Undefined: a payload turned out to be damaged, which the survey had not looked for. */
async function sealOnce(
  fs: FileSystem,
  request: SealRequest,
  verify: boolean,
): Promise<SealResult | undefined> {
  const { directory, splitByPriority, cutAtSequence = Infinity } = request;
  const survey = continued(
    await surveySegment(fs, directory, splitByPriority, cutAtSequence, verify),
    cutAtSequence,
  );
  const damaged = survey.report.state === 'corrupt';
  const id = damaged ? salvageId(request.id) : request.id;
  const objects: OpenObject[] = [];
  try {
    await openObjects(fs, request, id, survey, objects);
    if (objects.some((object) => object.writer)) {
      const intact = await fill(fs, request, id, survey, objects);
      // The second pass writes under other names.
      if (!intact && !verify) return await abandonObjects(objects);
    }
    const manifests: Manifest[] = [];
    for (const object of objects) manifests.push(await finishObject(fs, request, id, survey, object));
    return { manifests, report: survey.report, ...(damaged ? { salvagedAs: id } : {}) };
  } catch (error) {
    // Whatever failed may fail for want of the space these take.
    await abandonObjects(objects);
    throw error;
  }
}

/**
 * A segment given up after a failed write has no end mark and yet ends properly: every record before the cut
 * is here, the others stand in the next one. Only a kill is an unclean end.
 */
function continued(survey: SegmentSurvey, cutAtSequence: number): SegmentSurvey {
  const { report, meta } = survey;
  const next = report.records > 0 ? report.lastSequence + 1 : (meta?.firstSequence ?? 0);
  if (report.state !== 'unclean' || next < cutAtSequence) return survey;
  return { ...survey, report: { ...report, state: 'clean' } };
}

/** A damaged segment always salvages to the same new id, so that doing it twice gives one result. */
export function salvageId(id: SegmentId): SegmentId {
  const digest = createHash('sha256').update(salvageIdSource(id)).digest('hex').slice(0, 32);
  return `${id.slice(0, 12)}-${digest}`;
}

async function fill(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  survey: SegmentSurvey,
  objects: readonly OpenObject[],
): Promise<boolean> {
  let intact = true;
  const identity = survey.meta?.identity ?? request.identity;
  for (const { writer, survey: own } of objects) {
    await writer?.start({
      segment: id,
      robot: own.name.robot,
      ...(id === request.id ? {} : { salvaged_from: request.id }),
      data_folder_id: identity.dataFolderId,
      machine_id: identity.machineId,
      boot_id: identity.bootId,
      session_id: identity.sessionId,
      hostname: identity.hostname,
    });
  }
  const channels = new Map<number, { channel: SegmentChannel; object: OpenObject | undefined }>();
  const reader = new SegmentReader(fs, request.directory);
  for await (const entry of reader.entries()) {
    switch (entry.kind) {
      case 'channel': {
        const { channel } = entry;
        const found = objects.find((object) => belongs(object.survey, channel, request));
        channels.set(entry.id, { channel, object: found });
        found?.writer?.addChannel(entry.id, channel);
        break;
      }
      case 'carried':
        intact = (await addBatch(entry.batch, request, channels, true)) && intact;
        break;
      case 'batch':
        intact = (await addBatch(entry.batch, request, channels, false)) && intact;
        break;
      case 'gap':
        objects.find((object) => object.survey.name.robot === entry.gap.robot)?.gaps.push(entry.gap);
        break;
      case 'meta':
      case 'clock':
      case 'end':
        break;
    }
  }
  return intact;
}

function belongs(survey: ObjectSurvey, channel: SegmentChannel, request: SealRequest): boolean {
  if (survey.name.robot !== channel.robot) return false;
  const classed = request.splitByPriority && channel.priority !== 'normal' ? channel.priority : undefined;
  return survey.name.priority === classed;
}

async function addBatch(
  batch: ReadBatch,
  request: SealRequest,
  channels: ReadonlyMap<number, { channel: SegmentChannel; object: OpenObject | undefined }>,
  carried: boolean,
): Promise<boolean> {
  const { columns, payload, firstSequence } = batch;
  let intact = true;
  let offset = 0;
  for (let i = 0; i < columns.channelIds.length; i++) {
    const length = columns.lengths[i] as number;
    const data = payload.subarray(offset, offset + length);
    offset += length;
    const sequence = firstSequence + i;
    if (!carried && sequence >= (request.cutAtSequence ?? Infinity)) return intact;
    const channelId = columns.channelIds[i] as number;
    const target = channels.get(channelId);
    if (!target?.object?.writer) continue;
    const { object, channel } = target;
    const logTime = columns.receivedAt[i] as bigint;
    if (!payloadIntact(columns, i, data)) {
      intact = false;
      if (!carried) object.gaps.push(payloadGap(request.id, channel.robot, channel.topic, sequence, logTime));
      continue;
    }
    const record = {
      channelId,
      logTime,
      publishTime: columns.publishedAt[i] as bigint,
      sourceSequence: columns.sourceSequences?.[i] ?? -1,
      data,
    };
    if (carried) await object.writer?.addCarried(record, object.survey.firstLogTime ?? logTime);
    else {
      await object.writer?.add(record);
      if (object.firstSequence === 0) object.firstSequence = sequence;
      object.lastSequence = sequence;
      if (object.lastLogTime === undefined || logTime > object.lastLogTime) object.lastLogTime = logTime;
    }
  }
  return intact;
}

async function finishObject(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  survey: SegmentSurvey,
  object: OpenObject,
): Promise<Manifest> {
  if (object.existing || !object.writer) return object.existing as Manifest;
  const { writer, fileName } = object;
  const { robot } = object.survey.name;
  const gaps = [...object.gaps, ...stateGaps(request.id, robot, survey.report, object.lastLogTime)];
  for (const gap of gaps) await writer.addGap(gap);
  const events = eventsOf(request, object);
  for (const event of events) await writer.addEvent(event);
  const content = await writer.finish();
  await object.close();
  const { sealedFolder } = request;
  await fs.rename(join(sealedFolder, `${fileName}.tmp`), join(sealedFolder, fileName));
  await syncDirectory(fs, sealedFolder);
  const manifest = describeObject(request, id, survey, object, content, gaps, events);
  await writeFileDurably(fs, join(sealedFolder, manifestName(fileName)), encodeManifest(manifest));
  return manifest;
}

function eventsOf({ events = [] }: SealRequest, object: OpenObject): MarkedEvent[] {
  const { firstLogTime } = object.survey;
  const { lastLogTime } = object;
  if (firstLogTime === undefined || lastLogTime === undefined) return [];
  return events.filter((event) => overlapsEvent(event, firstLogTime, lastLogTime)).slice(-MAX_EVENTS);
}

function describeObject(
  request: SealRequest,
  id: SegmentId,
  survey: SegmentSurvey,
  object: OpenObject,
  content: ObjectContent,
  gaps: readonly Gap[],
  events: readonly MarkedEvent[],
): Manifest {
  const { name, firstLogTime } = object.survey;
  const { state } = survey.report;
  return {
    format: 'holdfast-manifest',
    version: MANIFEST_VERSION,
    segment: {
      id,
      number: segmentNumber(id),
      ...(name.priority ? { priority: name.priority } : {}),
      ...(id === request.id ? {} : { salvagedFrom: request.id }),
    },
    robot: name.robot,
    file: { name: object.fileName, ...content.digest, compression: request.compression },
    key: objectKey(id, name, firstLogTime ?? request.sealedAt),
    messages: content.messages,
    payloadBytes: content.payloadBytes,
    ...(content.firstLogTime === undefined
      ? {}
      : { firstLogTime: String(content.firstLogTime), lastLogTime: String(content.lastLogTime) }),
    ...(content.messages === 0
      ? {}
      : { firstSequence: object.firstSequence, lastSequence: object.lastSequence }),
    channels: content.channels,
    gaps: gapsForManifest(gaps),
    ...(events.length > 0 ? { events } : {}),
    identity: survey.meta?.identity ?? request.identity,
    clockSteps: survey.clockSteps,
    uncleanEnd: state === 'unclean' || state === 'corrupt',
    sealedAt: String(request.sealedAt),
    software: { name: 'holdfast', version: request.softwareVersion, node: request.nodeVersion },
  };
}
