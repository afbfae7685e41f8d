import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { readFileIfPresent, syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { HoldfastError } from '../core/errors.js';
import { decodeManifest, encodeManifest, ENCRYPTED_END, type Manifest } from '../core/manifest.js';
import { FilePool } from '../recordings/file-readable.js';
import { DigestingReadable } from '../recordings/digesting-readable.js';
import { cutSegment, type CutPorts, type CutSource } from './cut-segment.js';
import type { DeletionRequest } from './deletion-request.js';
import { isRemainderOf, remainderName } from './remainder-name.js';
import { verifyRemainder } from './verify-remainder.js';

/** The manifest of what the request left of a segment, or its tombstone; undefined: neither exists. */
export async function readRemainder(
  fs: CutPorts['fs'],
  folder: DataFolder,
  name: string,
  request: DeletionRequest,
): Promise<Manifest | undefined> {
  for (const place of [folder.sealed, folder.tombstones]) {
    const path = join(place, `${remainderName(name, request)}.json`);
    const bytes = await readFileIfPresent(fs, path);
    if (bytes) return decodeManifest(bytes.toString('utf8'), path);
  }
  return undefined;
}

/**
 * Makes the segment with what the request leaves of a sealed one, beside it, and returns its manifest. The file is
 * verified, and durable before its manifest. What an earlier run has made is kept. Undefined: the request names nothing
 * in the segment. Throws as {@link cutSegment}, and `SEGMENT_CORRUPT` if the file is not the one of its manifest.
 */
export async function remainderInFolder(
  ports: CutPorts,
  folder: DataFolder,
  manifest: Manifest,
  request: DeletionRequest,
): Promise<Manifest | undefined> {
  const { fs } = ports;
  const name = manifest.file.name.replace(/\.mcap$/, '');
  const known = await readRemainder(fs, folder, name, request);
  if (known && isRemainderOf(known, manifest)) return known;
  const end = manifest.encryption ? ENCRYPTED_END : '.mcap';
  const target = join(folder.sealed, remainderName(name, request) + end);
  const temporary = `${target}.tmp`;
  try {
    await using files = new FilePool(fs);
    const source = await sourceOf(join(folder.sealed, name + end), manifest, files);
    const made = await cutSegment(ports, source, request, temporary);
    if (made === undefined) return undefined;
    await verifyRemainder(ports, temporary, made, request);
    await fs.rename(temporary, target);
    await syncDirectory(fs, folder.sealed);
    const path = join(folder.sealed, `${remainderName(name, request)}.json`);
    await writeFileDurably(fs, path, encodeManifest(made));
    return made;
  } finally {
    await fs.rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** Reads the whole file once: a damaged one must not become a segment that looks whole. */
async function sourceOf(path: string, manifest: Manifest, files: FilePool): Promise<CutSource> {
  const { file } = manifest;
  const readable = files.readable(path);
  const { sha256, crc32 } = await new DigestingReadable(readable, undefined).finish();
  const isSame = crc32 === file.crc32 && (file.sha256 === undefined || file.sha256 === sha256);
  if (isSame) return { name: path, manifest, sha256, readable };
  throw new HoldfastError('SEGMENT_CORRUPT', `${path} is not the file of its manifest: its sums are others`, {
    facts: { path },
  });
}
