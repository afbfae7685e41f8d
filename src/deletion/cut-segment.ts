import type { FileSystem } from '../core/file-system.js';
import type { GapJson } from '../core/gap.js';
import { HoldfastError } from '../core/errors.js';
import { defined } from '../core/defined.js';
import type { Derivation } from '../core/derivation.js';
import {
  ENCRYPTED_VERSION,
  MANIFEST_VERSION,
  type DigestedManifest,
  type Manifest,
} from '../core/manifest.js';
import type { McapMessage } from '../core/mcap/block.js';
import { openMcap, type McapReader } from '../core/mcap/open-mcap.js';
import type { Readable } from '../core/mcap/readable.js';
import type { AttachmentRecord, MetadataRecord } from '../core/mcap/records.js';
import { matches } from '../core/name-pattern.js';
import { decryptedReadable } from '../encryption/decrypted-readable.js';
import { factsOf, newContentKey, type ContentKey } from '../encryption/encrypted-content.js';
import { openDataKey, type Keyring } from '../encryption/keyring.js';
import type { RandomBytes } from '../encryption/wrapped-key.js';
import { withChannels } from '../recordings/manifest-part.js';
import { SegmentCopy, type CopiedRecords } from '../recordings/segment-copy.js';
import { DigestFile } from '../seal/digest-file.js';
import { ChannelTallies } from './channel-tallies.js';
import type { DeletionRequest } from './deletion-request.js';
import { knownRecipients } from './part-keys.js';
import { DELETE_STAGE, remainderId, remainderName, stageRule } from './remainder-name.js';

/** What removing a part of a segment needs. */
export interface CutPorts {
  readonly fs: FileSystem;
  /** Opens encrypted segments. */
  readonly keyring: Keyring;
  readonly random: RandomBytes;
}

/** The segment of which a part goes. */
export interface CutSource {
  /** Path or key. */
  readonly name: string;
  readonly manifest: Manifest;
  /** Of its file, in lower-case hex. The caller has compared it with the manifest. */
  readonly sha256: string;
  readonly readable: Readable;
}

/** The id of the gap for what was removed, in the remainder with this id. */
export function cutGapId(remainder: string): string {
  return `deleted-${remainder}`;
}

/**
 * Whether the request names this message. A message that is repeated from earlier segments has the log time of the
 * segment, so its publish time decides.
 */
export function isNamed({ from, to, topics }: DeletionRequest, message: McapMessage): boolean {
  const { channel, logTime, publishTime } = message;
  const time = channel.carried ? publishTime : logTime;
  return time >= from && time <= to && matches(topics, channel.topic);
}

/** The messages that the request names, by the index of the file. */
export async function* namedMessages(
  reader: McapReader,
  request: DeletionRequest,
): AsyncGenerator<McapMessage, void, void> {
  const { from, to, topics } = request;
  const runs = reader.runs({
    select: ({ topic, carried }) => (matches(topics, topic) ? (carried ? {} : { from, to }) : undefined),
  });
  for await (const run of runs) {
    for (const message of run) if (isNamed(request, message)) yield message;
  }
}

/**
 * Writes the file of what the request leaves of a segment, durably, and returns its manifest. Undefined, and no file:
 * the segment has nothing that the request names. The same segment and request give the same bytes, unless the segment is
 * encrypted: the data key is a new one. Throws `SEGMENT_CORRUPT`, `MCAP_UNREADABLE`, `CIPHERTEXT_CORRUPT`,
 * `IDENTITY_MISSING` and the errors of the disk; the target is then incomplete.
 */
export async function cutSegment(
  { fs, keyring, random }: CutPorts,
  { name, manifest, sha256, readable: sealed }: CutSource,
  request: DeletionRequest,
  target: string,
): Promise<DigestedManifest | undefined> {
  const { encryption } = manifest;
  const readable = encryption
    ? decryptedReadable(sealed, openDataKey(keyring, encryption, name), name)
    : sealed;
  const reader = await openMcap(readable, name);
  if (!(await hasAny(reader, request))) return undefined;
  const id = remainderId(manifest.segment.id, request);
  const key = encryption && newContentKey(random);
  await using handle = await fs.open(target, 'w');
  const file = new DigestFile(handle, undefined, key);
  const copy = await SegmentCopy.begin(file, reader, recordsWithout(request, manifest.segment.id, id));
  const [kept, removed] = [new ChannelTallies(), new ChannelTallies()];
  for await (const run of reader.runs()) {
    for (const message of run) {
      if (isNamed(request, message)) removed.note(message);
      else {
        kept.note(message);
        await copy.add(message);
      }
    }
  }
  const read = kept.messages + removed.messages;
  if (read !== manifest.messages) {
    const message = `${name} has ${read} messages, its manifest says ${manifest.messages}`;
    throw new HoldfastError('SEGMENT_CORRUPT', message, { facts: { name } });
  }
  const gap = cutGap(id, manifest.robot, removed);
  if (gap) await copy.addMetadata({ name: 'holdfast_gap', metadata: { json: JSON.stringify(gap) } });
  const digest = await copy.finish();
  const rest = withoutEvents(withChannels(manifest, kept.channels(manifest)), request);
  return {
    ...rest,
    ...versionOf(key, Number(file.position()), manifest, { keyring, random }),
    segment: { ...manifest.segment, id },
    key: remainderName(manifest.key, request),
    file: { name: remainderName(manifest.file.name, request), ...digest, compression: 'zstd' },
    gaps: [...manifest.gaps, ...(gap ? [gap] : [])],
    derived: derivationOf(manifest, sha256, request),
  };
}

async function hasAny(reader: McapReader, request: DeletionRequest): Promise<boolean> {
  for await (const _message of namedMessages(reader, request)) return true;
  return false;
}

function versionOf(
  key: ContentKey | undefined,
  plainBytes: number,
  { encryption }: Manifest,
  { keyring, random }: Pick<CutPorts, 'keyring' | 'random'>,
): Pick<Manifest, 'version' | 'encryption'> {
  if (!key || !encryption) return { version: MANIFEST_VERSION };
  const recipients = knownRecipients(encryption, keyring);
  return { version: ENCRYPTED_VERSION, encryption: factsOf(key, plainBytes, recipients, random, 2) };
}

function cutGap(id: string, robot: string, removed: ChannelTallies): GapJson | undefined {
  const { messages: count, bytes, topics, firstLogTime, lastLogTime } = removed;
  if (count === 0) return undefined;
  const [topic, ...others] = topics;
  return {
    ...{ id: cutGapId(id), reason: 'deleted', robot, ...(others.length === 0 ? defined({ topic }) : {}) },
    ...{ count, bytes, firstTime: String(firstLogTime), lastTime: String(lastLogTime) },
    detail: 'deleted on request',
  };
}

/** What was done before stays in the list of stages. The source is the segment that was cut. */
function derivationOf(
  { segment, file, messages, payloadBytes, derived }: Manifest,
  sha256: string,
  request: DeletionRequest,
): Derivation {
  const { bytes, crc32 } = file;
  return {
    version: 1,
    source: { segment: segment.id, bytes, sha256, crc32, messages, payloadBytes },
    stages: [...(derived?.stages ?? []), { ...DELETE_STAGE, rule: stageRule(request) }],
  };
}

/** Marked events and attachments of the time go with all topics, and stay if only some topics go. */
function recordsWithout(request: DeletionRequest, source: string, id: string): CopiedRecords {
  const isOfAll = request.topics === undefined;
  const isIn = (time: bigint): boolean => time >= request.from && time <= request.to;
  return {
    metadata: (record: MetadataRecord) => {
      const { name, metadata } = record;
      if (name === 'holdfast') {
        // A count of messages would be wrong.
        const { messages: _messages, ...rest } = metadata;
        return { name, metadata: { ...rest, segment: id, made_from: source } };
      }
      const at = name === 'holdfast_event' ? metadata['at'] : undefined;
      const isGone = isOfAll && at !== undefined && /^\d{1,20}$/.test(at) && isIn(BigInt(at));
      return isGone ? undefined : record;
    },
    attachment: ({ logTime }: AttachmentRecord) => !isOfAll || !isIn(logTime),
  };
}

function withoutEvents(manifest: Manifest, { from, to, topics }: DeletionRequest): Manifest {
  const { events, ...rest } = manifest;
  if (events === undefined || topics !== undefined) return manifest;
  const left = events.filter(({ at }) => BigInt(at) < from || BigInt(at) > to);
  return left.length === 0 ? rest : { ...rest, events: left };
}
