import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import type { FileSystem } from '../core/file-system.js';
import {
  encodeManifest,
  isDigested,
  withSha256,
  type DigestedManifest,
  type Manifest,
} from '../core/manifest.js';
import { SegmentFile } from './segment-file.js';
import type { SegmentEntry } from './segment-table.js';
import { parseSealedManifest } from './sealed-manifest.js';

/** A manifest as it is published. */
export interface PublishedManifest {
  readonly manifest: DigestedManifest;
  /** Its text. */
  readonly manifestBytes: Buffer;
}

const READ_BYTES = 1024 * 1024;

/**
 * Reads the manifest of a sealed segment. If the segment was finished in its place, nobody has computed its SHA-256
 * yet: then this reads the file once, and keeps the sum in the entry. Sealing leaves that to sync, because most
 * robots send less than they record. Throws `MANIFEST_INVALID`, `SEGMENT_CORRUPT`, `SegmentVanished` and the
 * signal's reason.
 */
export async function readPublishedManifest(
  fs: FileSystem,
  { sealed }: Pick<DataFolder, 'sealed'>,
  entry: SegmentEntry,
  signal: AbortSignal,
): Promise<PublishedManifest> {
  const manifestBytes = await fs.readFile(join(sealed, `${entry.name}.json`));
  const manifest = parseSealedManifest(manifestBytes, entry.name);
  if (isDigested(manifest)) return { manifest, manifestBytes };
  entry.sha256 ??= await sha256Of(fs, sealed, manifest.file, signal);
  return published(manifest, entry.sha256);
}

/** The manifest as it was published with this SHA-256, which only counts if the local one has none. */
export function publishedWith(manifest: Manifest, bytes: Buffer, sha256: string): PublishedManifest {
  return isDigested(manifest) ? { manifest, manifestBytes: bytes } : published(manifest, sha256);
}

function published(undigested: Manifest, sha256: string): PublishedManifest {
  const manifest = withSha256(undigested, sha256);
  return { manifest, manifestBytes: Buffer.from(encodeManifest(manifest)) };
}

async function sha256Of(
  fs: FileSystem,
  sealed: string,
  file: Manifest['file'],
  signal: AbortSignal,
): Promise<string> {
  await using segment = await SegmentFile.open(fs, sealed, file);
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, file.bytes));
  for (let left = file.bytes; left > 0; left -= READ_BYTES) {
    signal.throwIfAborted();
    await segment.read(buffer.subarray(0, Math.min(left, READ_BYTES)));
  }
  return segment.finish();
}
