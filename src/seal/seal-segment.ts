import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { defined } from '../core/defined.js';
import type { EncryptionFacts } from '../core/encryption-facts.js';
import { syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import { overlapsEvent, type MarkedEvent } from '../core/marked-event.js';
import type { FileSystem } from '../core/file-system.js';
import type { Gap } from '../core/gap.js';
import {
  ENCRYPTED_VERSION,
  encryptedKey,
  MANIFEST_VERSION,
  UNDIGESTED_VERSION,
  encodeManifest,
  gapsForManifest,
  type Manifest,
} from '../core/manifest.js';
import { segmentNumber, type SegmentId } from '../core/segment-id.js';
import { vinOf } from '../core/vin.js';
import type { SegmentReport } from '../wal/segment-reader.js';
import { levelAt, seemsIncompressible } from './compression.js';
import { groupObjects } from './object-groups.js';
import { objectKey, ownId as ownIdOf } from '../core/object-name.js';
import { fillObjects } from './fill-objects.js';
import type { ObjectContent } from './object-writer.js';
import { abandonObjects, manifestName, NoLinksError, openObjects, type OpenObject } from './open-object.js';
import type { PlacedObject } from './placed-objects.js';
import { stateGaps, salvageIdSource } from './seal-gaps.js';
import type { SealRequest } from './seal-request.js';
import { surveySegment, type ObjectSurvey, type SegmentSurvey } from './segment-survey.js';

/*
 * Sealing turns a closed WAL segment into one standalone MCAP per robot (and priority class, and group of topics), each
 * with its manifest.
 *
 * Layout: `sealed/<segment>.<robot>.mcap`, and the manifest beside it under the same name with `.json`. A
 * file has a temporary name in the same folder while it is written. An object file of the segment is finished
 * in its place and then linked into `sealed/` (open-object.ts).
 *
 * Invariants
 * - The segment is only read here, except for unreferenced bytes after the last chunk of an object file. It
 *   is removed when all of its manifests are durable, and not before.
 * - The MCAP is written, fsynced and renamed or linked before its manifest. A manifest is the proof that its
 *   object is whole.
 * - An object with a manifest is left alone, so sealing the same segment again changes nothing. Its name is
 *   made durable before the segment is removed.
 * - A damaged segment is sealed under another id, which is always the same for the same segment. The original
 *   goes into quarantine.
 * - With recipients, the object is encrypted while it is written, with a data key that only this attempt had. A
 *   second attempt makes other bytes, and its manifest has the key of them.
 * - Memory is bounded by the chunks and channels of one group of objects (object-groups.ts) and not by the
 *   size of the segment. Indexes that grow go to the disk (spill.ts).
 *
 * Crash windows
 * - Before a rename: a temporary file. The next start removes it, and sealing the segment again overwrites
 *   it.
 * - Between the two renames: an MCAP without a manifest. It is written again. If it is a second name of an
 *   object file, it is removed before that file changes.
 * - After the last manifest, before the segment is removed: sealing finds every manifest and removes the
 *   segment.
 */

/** Maximum of marked events in one object, the latest ones, so that manifests stay small. */
const MAX_EVENTS = 100;
/** Chunk size of an object that is sealed with as little memory as possible. */
const SPARING_CHUNK_BYTES = 256 * 1024;

export interface SealResult {
  readonly manifests: readonly Manifest[];
  readonly report: SegmentReport;
  /** The segment is damaged: its readable records are sealed under this other id. */
  readonly salvagedAs?: SegmentId;
}

/**
 * Turns a closed WAL segment into one standalone MCAP per robot (and priority class), each with its manifest,
 * durable when this resolves. It reads the segment from its files and never changes it. An object with a
 * manifest is left alone, so after a crash at any point the segment can be sealed again. Throws `SEAL_FAILED`
 * or `DISK_FULL`.
 */
export async function sealSegment(fs: FileSystem, asked: SealRequest): Promise<SealResult> {
  const request = asked.sparing
    ? { ...asked, chunkBytes: Math.min(asked.chunkBytes, SPARING_CHUNK_BYTES) }
    : asked;
  try {
    return await sealSomehow(fs, request);
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    const full = systemCode(cause) === 'ENOSPC' || systemCode(cause) === 'EDQUOT';
    throw new HoldfastError(full ? 'DISK_FULL' : 'SEAL_FAILED', `cannot seal segment ${request.id}`, {
      cause,
    });
  }
}

async function sealSomehow(fs: FileSystem, request: SealRequest): Promise<SealResult> {
  try {
    const trusted = await sealOnce(fs, request, request.verifyPayloads);
    // Damaged payloads are found only while copying: then everything is read again, as a damaged segment.
    return trusted ?? ((await sealOnce(fs, request, true)) as SealResult);
  } catch (error) {
    if (!(error instanceof NoLinksError)) throw error;
    return sealSomehow(fs, { ...request, copies: true });
  }
}

/** Returns undefined if a damaged payload was found that the survey had not checked. */
async function sealOnce(
  fs: FileSystem,
  asked: SealRequest,
  verify: boolean,
): Promise<SealResult | undefined> {
  const { directory, splitByPriority, cutAtSequence = Infinity, walKeys } = asked;
  const found = await surveySegment(fs, directory, splitByPriority, cutAtSequence, verify, walKeys);
  const request = { ...asked, level: levelAt(asked.compression, asked.level, found.bytesPerS) };
  const { state } = found.report;
  const survey = continued(found, cutAtSequence);
  const damaged = survey.report.state === 'corrupt';
  const id = damaged ? salvageId(request.id) : request.id;
  // What is checked while it is copied cannot be trusted unread.
  const readsAll = verify || state !== 'clean';
  const placed = await placedObjects(fs, request, survey, readsAll);
  const manifests: Manifest[] = [];
  const surveys = [...survey.objects.values()];
  for (const group of request.sparing
    ? surveys.map((one) => [one])
    : groupObjects(surveys, request.chunkBytes)) {
    const sealed = await sealGroup(fs, request, id, { ...survey, group, files: placed }, verify);
    // The second pass writes under other names.
    if (!sealed) return undefined;
    manifests.push(...sealed);
  }
  return { manifests, report: survey.report, ...(damaged ? { salvagedAs: id } : {}) };
}

/** A survey, and the objects of one group. */
interface GroupSurvey extends SegmentSurvey {
  readonly group: readonly ObjectSurvey[];
  /** Object files that become objects in their place, by object. */
  readonly files: ReadonlyMap<string, PlacedObject>;
}

/**
 * Returns no object files for a segment that is damaged or cut, or that is sealed sparingly or encrypted: it is
 * copied record by record.
 */
async function placedObjects(
  fs: FileSystem,
  request: SealRequest,
  { placed, report }: SegmentSurvey,
  readsAll: boolean,
): Promise<Map<string, PlacedObject>> {
  const isCut = (request.cutAtSequence ?? Infinity) <= report.lastSequence;
  const encrypts = (request.recipients?.length ?? 0) > 0;
  if (request.copies || request.sparing || encrypts || report.state === 'corrupt' || isCut) return new Map();
  const { compressMaxBytesPerS = 0, compression } = request;
  const compresses = compression !== 'none' && placed.bytesPerS <= compressMaxBytesPerS;
  return placed.check(fs, request.directory, {
    readsAll,
    isCopied: async (handle, bytes) => compresses && !(await seemsIncompressible(handle, bytes)),
  });
}

/** One pass over the segment. Returns undefined if a damaged payload was found. */
async function sealGroup(
  fs: FileSystem,
  request: SealRequest,
  id: SegmentId,
  survey: GroupSurvey,
  verify: boolean,
): Promise<Manifest[] | undefined> {
  const objects: OpenObject[] = [];
  try {
    await openObjects(fs, request, id, survey.group, survey.files, objects);
    if (objects.some((object) => object.writer)) {
      const intact = await fillObjects(fs, request, id, survey, objects);
      if (!intact && !verify) {
        await abandonObjects(objects);
        return;
      }
    }
    const manifests: Manifest[] = [];
    for (const object of objects) manifests.push(await finishObject(fs, request, id, survey, object));
    // The attempt that wrote these manifests may have ended before their names were durable.
    if (objects.some(({ existing }) => existing)) await syncDirectory(fs, request.sealedFolder);
    return manifests;
  } catch (error) {
    // These files may use the space whose lack caused the failure.
    await abandonObjects(objects);
    throw error;
  }
}

/**
 * A segment that was given up after a failed write has no end mark, but it ends properly: every record before
 * the cut is here, and the others are in the next segment. Only a kill is an unclean end.
 */
function continued(survey: SegmentSurvey, cutAtSequence: number): SegmentSurvey {
  const { report, meta } = survey;
  const next = report.records > 0 ? report.lastSequence + 1 : (meta?.firstSequence ?? 0);
  if (report.state !== 'unclean' || next < cutAtSequence) return survey;
  return { ...survey, report: { ...report, state: 'clean' } };
}

/** A damaged segment is always salvaged to the same new id, so that doing it twice gives one result. */
export function salvageId(id: SegmentId): SegmentId {
  const digest = createHash('sha256').update(salvageIdSource(id)).digest('hex').slice(0, 32);
  return `${id.slice(0, 12)}-${digest}`;
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
  const gaps = [...object.gaps.list(), ...stateGaps(request.id, robot, survey.report, object.lastLogTime)];
  for (const gap of gaps) await writer.addGap(gap);
  const events = eventsOf(request, object);
  for (const event of events) await writer.addEvent(event);
  if (request.policy) await writer.addPolicy(request.policy);
  const content = await writer.finish();
  await object.close();
  const { sealedFolder } = request;
  await object.publish();
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

function versionOf({ digest }: ObjectContent, encryption: EncryptionFacts | undefined): Manifest['version'] {
  if (encryption) return ENCRYPTED_VERSION;
  return digest.sha256 === undefined ? UNDIGESTED_VERSION : MANIFEST_VERSION;
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
  const ownId = ownIdOf(id, name);
  const key = objectKey(ownId, name, firstLogTime ?? request.sealedAt);
  const encryption = object.describeKeys(content);
  return {
    format: 'holdfast-manifest',
    version: versionOf(content, encryption),
    segment: {
      id: ownId,
      number: segmentNumber(ownId),
      ...defined({ priority: name.priority, group: name.group }),
      ...(id === request.id ? {} : { salvagedFrom: request.id }),
    },
    robot: name.robot,
    ...defined({ vin: vinOf(survey.vins, name.robot) }),
    file: { name: object.fileName, ...content.digest, compression: request.compression },
    key: encryption ? encryptedKey(key) : key,
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
    ...defined({ tags: survey.meta?.tags, policy: request.policy }),
    identity: survey.meta?.identity ?? request.identity,
    clockSteps: survey.clockSteps.list,
    ...(survey.clockSteps.merged > 0 ? { clockStepsMerged: survey.clockSteps.merged } : {}),
    uncleanEnd: state === 'unclean' || state === 'corrupt',
    sealedAt: String(request.sealedAt),
    software: { name: 'holdfast', version: request.softwareVersion, node: request.nodeVersion },
    ...defined({ encryption }),
  };
}
