import { crc32 } from 'node:zlib';
import { documentKind } from './documents/document.js';
import { manifestSchema } from './documents/manifest-schema.js';
import type { Derivation } from './derivation.js';
import type { EncryptionFacts } from './encryption-facts.js';
import { HoldfastError } from './errors.js';
import type { MarkedEvent } from './marked-event.js';
import { gapFromJson, gapToJson, type Gap, type GapJson } from './gap.js';
import type { Identity } from './identity.js';
import type { Priority } from './message.js';
import type { SinkPolicyRecord } from './send-policy/policy-record.js';
import type { SegmentId } from './segment-id.js';
import type { Tags } from './tags.js';

/** Version of a manifest with a SHA-256. */
export const MANIFEST_VERSION = 1;
/** Version of a manifest without one: earlier software must not take the object for damaged. */
export const UNDIGESTED_VERSION = 2;

/** Version of a manifest whose object is encrypted: earlier software must not take the object for an MCAP. */
export const ENCRYPTED_VERSION = 3;
/** End of the keys of encrypted objects. */
export const ENCRYPTED_END = '.mcap.enc';
/** Ends of the files of segments, plain and encrypted. */
export const SEGMENT_ENDS = ['.mcap', ENCRYPTED_END] as const;
const OBJECT_END = /\.mcap(\.enc)?$/;

/** One channel of a sealed segment; carried messages have their own count. */
export interface ManifestChannel {
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  readonly schemaEncoding: string;
  readonly latched: boolean;
  /** Messages recorded in this segment, not counting the carried ones. */
  readonly count: number;
  /** Payload bytes of those messages. */
  readonly bytes: number;
  /** Messages repeated from earlier segments, so that this one can be read alone. */
  readonly carried: number;
  /** Decimal nanoseconds since the Unix epoch; absent if count is 0. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  /** The source's own numbers, if the source numbers messages. */
  readonly firstSourceSequence?: number;
  readonly lastSourceSequence?: number;
}

/**
 * The description of one sealed segment of one robot, and its commit marker in the store (written last).
 * With `evicted` it is a tombstone: the segment was deleted by policy before it was uploaded.
 */
export interface Manifest {
  readonly format: 'holdfast-manifest';
  readonly version: typeof MANIFEST_VERSION | typeof UNDIGESTED_VERSION | typeof ENCRYPTED_VERSION;
  readonly segment: {
    readonly id: SegmentId;
    readonly number: number;
    readonly priority?: Priority;
    /** Of the topics in it (`segment=` of a rule); absent: it has the topics without one. */
    readonly group?: string;
    /** The quarantined segment from which this one was salvaged. */
    readonly salvagedFrom?: SegmentId;
  };
  readonly robot: string;
  /** VIN of the vehicle (ISO 3779), if the recorder knew it; absent: none, or written by an earlier version. */
  readonly vin?: string;
  /** Of the object as the store has it: of the ciphertext, if it is encrypted. */
  readonly file: {
    /** Name of the segment in `sealed/`, where an encrypted one has `.enc` after it: {@link localFileName}. */
    readonly name: string;
    readonly bytes: number;
    /**
     * Lower-case hex. Absent only in `sealed/`, in version 2: the object was finished in its place, and nobody has
     * read its bytes since. Sync computes it before the upload.
     */
    readonly sha256?: string;
    /** CRC-32 (IEEE) of the whole file. */
    readonly crc32: number;
    readonly compression: 'zstd' | 'lz4' | 'none';
  };
  /**
   * Object key of the MCAP relative to the store's prefix, fixed at seal; the manifest has the same key with
   * `.json`.
   */
  readonly key: string;
  readonly messages: number;
  readonly payloadBytes: number;
  /** Decimal nanoseconds since the Unix epoch; absent if there are no messages. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  /** WAL sequences of this robot's records in the segment, inclusive; absent if there are no records. */
  readonly firstSequence?: number;
  readonly lastSequence?: number;
  readonly channels: readonly ManifestChannel[];
  readonly gaps: readonly GapJson[];
  /** Marked events whose windows overlap it, if they were marked before it was sealed. */
  readonly events?: readonly MarkedEvent[];
  /** Tags that held when its WAL segment was opened; absent: none, or written by an earlier version. */
  readonly tags?: Tags;
  /** What sync sent, when, how much and for whom, when it was sealed; absent: no sync had told the recorder. */
  readonly policy?: readonly SinkPolicyRecord[];
  readonly identity: Identity;
  /** Jumps of the wall clock against monotonic time while this segment was open. */
  readonly clockSteps: readonly { readonly at: string; readonly stepNs: string }[];
  /** Number of jumps merged into the last entry of `clockSteps`, once that list has 1,000. */
  readonly clockStepsMerged?: number;
  /** True if the recorder did not end this segment itself (kill, power loss). */
  readonly uncleanEnd: boolean;
  readonly sealedAt: string;
  readonly software: { readonly name: 'holdfast'; readonly version: string; readonly node: string };
  readonly evicted?: { readonly at: string; readonly reason: string };
  /** Absent: the object has what was sealed. */
  readonly derived?: Derivation;
  /** Beside `evicted`, which earlier software reads: the segment was deleted on request. */
  readonly deleted?: DeletedFacts;
  /** Absent: the object is a plain MCAP. */
  readonly encryption?: EncryptionFacts;
}

/** When, by whom and why a segment was deleted. */
export interface DeletedFacts {
  /** Decimal nanoseconds since the Unix epoch. */
  readonly at: string;
  readonly by: string;
  readonly reason: string;
  /** Id of the plan, which the receipt of the deletion repeats. */
  readonly plan: string;
  /** Id of the segment with what is left. Absent: all of it was deleted. */
  readonly remainder?: string;
}

/** A manifest as every store has it. */
export type DigestedManifest = Manifest & { readonly file: { readonly sha256: string } };

/** Whether it has its SHA-256. */
export function isDigested(manifest: Manifest): manifest is DigestedManifest {
  return manifest.file.sha256 !== undefined;
}

/** The same manifest with the SHA-256 of its file; the same text for the same digest at any time. */
export function withSha256(manifest: Manifest, sha256: string): DigestedManifest {
  const { name, bytes, crc32: crc, compression } = manifest.file;
  return { ...manifest, version: MANIFEST_VERSION, file: { name, bytes, sha256, crc32: crc, compression } };
}

/** Name of the file of a segment in `sealed/`, where an encrypted one has another end, as its key in a store has. */
export function localFileName({ file, encryption }: Pick<Manifest, 'file' | 'encryption'>): string {
  return encryption ? file.name.replace(OBJECT_END, ENCRYPTED_END) : file.name;
}

/** The key of the encrypted object for the key of a segment. */
export function encryptedKey(key: string): string {
  return key.replace(OBJECT_END, ENCRYPTED_END);
}

/** Whether a folder with these names has the file of a segment, by its name without its end. */
export function hasSegmentFile(names: ReadonlySet<string>, name: string): boolean {
  return SEGMENT_ENDS.some((end) => names.has(name + end));
}

/** The text of a manifest: its fields, and last the CRC-32 of their JSON without white space. */
export function encodeManifest(manifest: Manifest): string {
  const { manifestCrc32: _earlier, ...fields } = manifest as Manifest & { manifestCrc32?: number };
  return `${JSON.stringify({ ...fields, manifestCrc32: crcOf(fields) }, null, 1)}\n`;
}

function crcOf(fields: object): number {
  return crc32(JSON.stringify(fields));
}

export function manifestGaps(manifest: Manifest): Gap[] {
  return manifest.gaps.map(gapFromJson);
}

export function gapsForManifest(gaps: readonly Gap[]): GapJson[] {
  return gaps.map(gapToJson);
}

/** The key of the manifest for a segment's key. */
export function manifestKey(segmentKey: string): string {
  return segmentKey.replace(OBJECT_END, '.json');
}

/** Whether a key or file name is that of a segment, plain or encrypted. */
export function isSegmentKey(key: string): boolean {
  return OBJECT_END.test(key);
}

/** The name without `.mcap` or `.mcap.enc`. */
export function withoutSegmentEnd(key: string): string {
  return key.replace(OBJECT_END, '');
}

const manifests = documentKind<Manifest & { readonly manifestCrc32: number }>('manifest', manifestSchema);

/**
 * Parses a manifest. `name` (a path or key) appears in the error. Throws `MANIFEST_INVALID` with the first
 * wrong field, its value and what is allowed. It also throws if the CRC of the whole does not match: a
 * changed digit of a key or a count is valid JSON too.
 */
export function decodeManifest(text: string, name: string): Manifest {
  const { manifestCrc32, ...manifest } = manifests.parse(text, name);
  if (manifest.version !== UNDIGESTED_VERSION && !isDigested(manifest)) {
    throw new HoldfastError(
      'MANIFEST_INVALID',
      `manifest ${name}: file.sha256 is missing, allowed: a SHA-256 in lower-case hex, or version ${UNDIGESTED_VERSION}`,
      { facts: { name, path: 'file.sha256' } },
    );
  }
  if ((manifest.version === ENCRYPTED_VERSION) !== (manifest.encryption !== undefined)) {
    throw new HoldfastError(
      'MANIFEST_INVALID',
      `manifest ${name}: version ${manifest.version} ${manifest.encryption ? 'has' : 'lacks'} the member encryption, ` +
        `allowed: encryption in version ${ENCRYPTED_VERSION} only`,
      { facts: { name, path: 'encryption', value: manifest.version } },
    );
  }
  const crc = crcOf(manifest);
  if (crc !== manifestCrc32) {
    throw new HoldfastError(
      'MANIFEST_INVALID',
      `manifest ${name}: its fields have CRC-32 ${crc}, it says ${manifestCrc32}: it was changed or damaged`,
      { facts: { name, path: 'manifestCrc32', value: manifestCrc32 } },
    );
  }
  return manifest;
}

/** Whether two texts are manifests of one encrypted object that differ at most in wrapped keys. */
export function isSameApartFromKeys(a: Buffer, b: Buffer): boolean {
  try {
    const [x, y] = [a, b].map((text) => decodeManifest(text.toString('utf8'), 'a manifest'));
    if (!x?.encryption || !y?.encryption) return false;
    return withoutKeys(x) === withoutKeys(y);
  } catch {
    return false;
  }
}

function withoutKeys(manifest: Manifest): string {
  return JSON.stringify({ ...manifest, encryption: { ...manifest.encryption, keys: [] } });
}
