import { crc32 } from 'node:zlib';
import { HoldfastError } from './errors.js';
import type { MarkedEvent } from './events.js';
import { gapFromJson, gapToJson, type Gap, type GapJson } from './gap.js';
import type { Identity } from './identity.js';
import type { Priority } from './message.js';
import type { SegmentId } from './segment-id.js';

export const MANIFEST_VERSION = 1;

/** One channel of a sealed segment; carried messages are counted apart. */
export interface ManifestChannel {
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  readonly schemaEncoding: string;
  readonly latched: boolean;
  /** Messages recorded in this segment, without the carried ones. */
  readonly count: number;
  /** Payload bytes of those messages. */
  readonly bytes: number;
  /** Messages repeated from earlier segments so that this one stands alone. */
  readonly carried: number;
  /** Decimal nanoseconds since the Unix epoch; absent where count is 0. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  /** The source's own numbers, where it numbers messages. */
  readonly firstSourceSequence?: number;
  readonly lastSourceSequence?: number;
}

/**
 * The description of one sealed segment of one robot, and its commit marker in the store (written last).
 * With `evicted` it is a tombstone: the segment was deleted by policy before it was uploaded.
 */
export interface Manifest {
  readonly format: 'holdfast-manifest';
  readonly version: typeof MANIFEST_VERSION;
  readonly segment: {
    readonly id: SegmentId;
    readonly number: number;
    readonly priority?: Priority;
    /** The quarantined segment this one was read out of. */
    readonly salvagedFrom?: SegmentId;
  };
  readonly robot: string;
  readonly file: {
    /** Name inside `sealed/`. */
    readonly name: string;
    readonly bytes: number;
    /** Lower-case hex. */
    readonly sha256: string;
    /** CRC-32 (IEEE) of the whole file. */
    readonly crc32: number;
    readonly compression: 'zstd' | 'lz4' | 'none';
  };
  /** Object key of the MCAP relative to the store's prefix, frozen at seal; the manifest's has `.json`. */
  readonly key: string;
  readonly messages: number;
  readonly payloadBytes: number;
  /** Decimal nanoseconds since the Unix epoch; absent where there are no messages. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  /** WAL sequences of the segment's records of this robot, inclusive; absent where there are none. */
  readonly firstSequence?: number;
  readonly lastSequence?: number;
  readonly channels: readonly ManifestChannel[];
  readonly gaps: readonly GapJson[];
  /** Marked events whose windows it overlaps, as far as they were marked before it was sealed. */
  readonly events?: readonly MarkedEvent[];
  readonly identity: Identity;
  /** Jumps of the wall clock against monotonic time while this segment was open. */
  readonly clockSteps: readonly { readonly at: string; readonly stepNs: string }[];
  /** True when the recorder did not end this segment itself (kill, power loss). */
  readonly uncleanEnd: boolean;
  readonly sealedAt: string;
  readonly software: { readonly name: 'holdfast'; readonly version: string; readonly node: string };
  readonly evicted?: { readonly at: string; readonly reason: string };
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

/** The key of the manifest that belongs to a segment's key. */
export function manifestKey(segmentKey: string): string {
  return segmentKey.replace(/\.mcap$/, '.json');
}

type Check = readonly [path: string, ok: (value: unknown) => boolean, allowed: string];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const checks: readonly Check[] = [
  ['format', (v) => v === 'holdfast-manifest', "'holdfast-manifest'"],
  ['version', (v) => v === MANIFEST_VERSION, String(MANIFEST_VERSION)],
  ['segment.id', isText, 'a string'],
  ['segment.number', isCount, 'a whole number'],
  ['robot', isText, 'a string'],
  ['file.name', (v) => isText(v) && !/[/\\]/.test(v as string), 'a file name without a path'],
  ['file.bytes', isCount, 'a whole number'],
  ['file.sha256', (v) => isText(v) && /^[0-9a-f]{64}$/.test(v as string), '64 hex digits'],
  ['file.crc32', (v) => isCount(v) && (v as number) <= 0xffffffff, 'an unsigned 32-bit number'],
  ['file.compression', (v) => v === 'zstd' || v === 'lz4' || v === 'none', "'zstd', 'lz4' or 'none'"],
  ['key', (v) => isText(v) && !(v as string).split('/').includes('..'), 'a key without ".."'],
  ['messages', isCount, 'a whole number'],
  ['payloadBytes', isCount, 'a whole number'],
  ['channels', Array.isArray, 'a list'],
  ['gaps', Array.isArray, 'a list'],
  ['identity', isObject, 'an object'],
  ['uncleanEnd', (v) => typeof v === 'boolean', 'true or false'],
  ['manifestCrc32', isCount, 'the CRC-32 of the other fields'],
];

/**
 * Parses a manifest. `name` (a path or key) appears in the error. Throws `MANIFEST_INVALID` naming the
 * first field that is wrong, its value and what is allowed; or saying that the CRC of the whole does not fit:
 * a changed digit of a key or a count is valid JSON too.
 */
export function decodeManifest(text: string, name: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('MANIFEST_INVALID', `manifest ${name} is not JSON`, { cause, facts: { name } });
  }
  for (const [path, ok, allowed] of checks) {
    let value: unknown = json;
    for (const step of path.split('.')) value = isObject(value) ? value[step] : undefined;
    if (!ok(value)) {
      throw new HoldfastError(
        'MANIFEST_INVALID',
        `manifest ${name}: ${path} is ${String(JSON.stringify(value)).slice(0, 80)}, allowed: ${allowed}`,
        { facts: { name, path, value } },
      );
    }
  }
  const { manifestCrc32, ...manifest } = json as Manifest & { manifestCrc32: number };
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
