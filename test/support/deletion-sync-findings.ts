import { createPublicKey } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { dataFolder } from '../../src/core/data-folder.js';
import { decodeManifest, isSegmentKey, manifestKey, type Manifest } from '../../src/core/manifest.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { readSigningKey, verifyReceipt } from '../../src/deletion/deletion-receipt.js';
import { verifyingBytes } from '../../src/encryption/signing-key.js';
import { scratchFolder } from '../../src/sync/segment-sender.js';
import { openedSegment } from './encrypted-segments.js';
import { MARKER, parts, SECRET, type DeletionSyncWorld } from './deletion-sync-world.js';

/** A segment as it was sealed: its number of messages, and of those that no deletion names. */
export interface SealedSegment {
  readonly manifest: Manifest;
  readonly left: number;
}

/** The segments of both folders before anything is deleted. */
export async function sealedSegments(world: DeletionSyncWorld): Promise<SealedSegment[]> {
  const found: SealedSegment[] = [];
  for (const { folder } of parts) {
    for (const [name, bytes] of await filesOf(world.at(folder, 'sealed'))) {
      if (!name.endsWith('.json')) continue;
      const manifest = decodeManifest(bytes.toString(), name);
      const object = await fs.readFile(name.replace(/\.json$/, manifest.encryption ? '.mcap.enc' : '.mcap'));
      const reader = await openMcap(openedSegment(bytesReadable(object), manifest, name), name);
      let left = 0;
      for await (const { data } of reader.messages()) if (!Buffer.from(data).includes(MARKER)) left++;
      found.push({ manifest, left });
    }
  }
  return found;
}

/** Everything that is wrong once all deletions and sync have finished. */
export async function findingsAtRest(
  world: DeletionSyncWorld,
  before: readonly SealedSegment[],
): Promise<string[]> {
  const stored = await objectsOf(world);
  const findings = [
    ...compare('the store', await world.messages(world.uri), world.staying(), world.sent.bind(world)),
    ...(await hiddenTexts(stored, [MARKER, SECRET])),
    ...(await hiddenTexts(await filesOf(world.at('tmp')), [MARKER, SECRET])),
    ...(await hiddenTexts(await filesOf(world.at('store', '.holdfast')), [MARKER, SECRET])),
    ...tombstoneFaults(stored, before),
    ...(await receiptFaults(world)),
  ];
  for (const part of parts) {
    const [root, wanted] = [world.at(part.folder), world.staying([part])];
    findings.push(
      ...compare(part.folder, await world.messages(root), wanted, world.recorded.bind(world)),
      ...(await hiddenTexts(await filesOf(root), [MARKER])),
      ...(await leftBehind(root)),
    );
  }
  for (const where of [world.at('changed'), world.at('sealed'), world.uri]) {
    const run = await world.run('verify', where, '--identity', world.at('identity.key'));
    if (run.exitCode !== 0) findings.push(`verify ${where}: ${run.stdout} ${run.stderr}`);
  }
  return findings;
}

/** What a deletion or a rule should have removed, in files as they are and after decryption. */
async function hiddenTexts(files: ReadonlyMap<string, Buffer>, texts: readonly string[]): Promise<string[]> {
  const findings: string[] = [];
  for (const [name, bytes] of files) {
    const pieces = [bytes, ...(isSegmentKey(name) ? await payloads(name, bytes, files) : [])];
    for (const text of texts)
      if (pieces.some((piece) => piece.includes(text))) findings.push(`${name} has "${text}"`);
  }
  return findings;
}

/** The messages of a segment, decompressed and, if a manifest beside it has its key, decrypted. */
async function payloads(name: string, bytes: Buffer, files: ReadonlyMap<string, Buffer>): Promise<Buffer[]> {
  const text = files.get(manifestKey(name));
  const manifest = text && decodeManifest(text.toString(), name);
  const readable = bytesReadable(bytes);
  const reader = await openMcap(manifest ? openedSegment(readable, manifest, name) : readable, name).catch(
    () => undefined,
  );
  const found: Buffer[] = [];
  for await (const { data } of reader?.messages() ?? []) found.push(Buffer.from(data));
  return found;
}

/** Each message once, with its content. */
function compare(
  where: string,
  found: readonly [topic: string, message: { readonly n: number }][],
  staying: readonly string[],
  wanted: (topic: string, number: number) => unknown,
): string[] {
  const [findings, left]: [string[], Set<string>] = [[], new Set(staying)];
  for (const [topic, message] of found) {
    const name = `${topic} ${message.n}`;
    if (!left.delete(name)) findings.push(`${where}: ${name} is there twice, or had to go`);
    else if (JSON.stringify(message) !== JSON.stringify(wanted(topic, message.n)))
      findings.push(`${where}: ${name} has other content`);
  }
  return [...findings, ...[...left].map((name) => `${where}: ${name} is missing`)];
}

/** Each segment is in the store as it was, or as a tombstone and, if something of it stays, another segment. */
function tombstoneFaults(stored: ReadonlyMap<string, Buffer>, before: readonly SealedSegment[]): string[] {
  const manifests = [...stored].flatMap(([key, bytes]) =>
    key.startsWith('robot=') && key.endsWith('.json') ? [decodeManifest(bytes.toString(), key)] : [],
  );
  const findings: string[] = [];
  for (const { manifest, left } of before) {
    const own = manifests.find(({ segment }) => segment.id === manifest.segment.id);
    const isTouched = left < manifest.messages;
    if (own === undefined) findings.push(`${manifest.key} has left no manifest`);
    else if ((own.deleted !== undefined) !== isTouched)
      findings.push(`${manifest.key}: ${left} messages stay`);
    else if (isTouched && own.evicted === undefined) findings.push(`${manifest.key} is no tombstone`);
  }
  for (const { key, file, deleted } of manifests) {
    const object = stored.get(key);
    if (deleted ? object !== undefined : object?.length !== file.bytes)
      findings.push(`${key} is not what its manifest says`);
  }
  return findings;
}

async function receiptFaults(world: DeletionSyncWorld): Promise<string[]> {
  const secret = readSigningKey(await fs.readFile(world.at('delete.key'), 'utf8'), 'delete.key');
  const key = verifyingBytes(createPublicKey(secret));
  const findings: string[] = [];
  const times = new Set<string>();
  for (const [name, bytes] of await filesOf(world.at('out'))) {
    if (!name.endsWith('.receipt.json')) {
      findings.push(`${name} is left`);
      continue;
    }
    const { request, places } = verifyReceipt(bytes.toString(), [key], name);
    if (places.every(({ kept }) => kept.length === 0)) times.add(request.from);
  }
  if (times.size !== world.windows.length) findings.push(`receipts of ${[...times].join()} only`);
  return findings;
}

/** Files of interrupted work, and copies and keys of segments that are gone. */
async function leftBehind(root: string): Promise<string[]> {
  const folder = dataFolder(root);
  const findings: string[] = [];
  for (const [name] of await filesOf(root))
    if (/\.tmp$|\.journal$|\.evicted$/.test(name)) findings.push(`${name} is left`);
  const names = (path: string): Promise<string[]> => fs.readdir(path).catch(() => []);
  const sealed = (await names(folder.sealed)).map((name) => name.replace(/\.mcap(\.enc)?$|\.json$/, ''));
  for (const path of [folder.transformed, folder.encryption])
    for (const name of await names(path))
      if (!sealed.some((one) => name.startsWith(`${one}.`))) findings.push(`${join(path, name)} is left`);
  for (const path of [scratchFolder(folder), folder.wal, folder.quarantine, folder.tombstones])
    for (const name of await names(path)) findings.push(`${name} is left in ${basename(path)}/`);
  return findings;
}

async function objectsOf(world: DeletionSyncWorld): Promise<Map<string, Buffer>> {
  await using store = await world.openStore();
  const found = new Map<string, Buffer>();
  for await (const { key } of store.list('')) {
    const pieces: Uint8Array[] = [];
    for await (const piece of store.read(key)) pieces.push(piece);
    found.set(key, Buffer.concat(pieces));
  }
  return found;
}

async function filesOf(root: string): Promise<Map<string, Buffer>> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const found = new Map<string, Buffer>();
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    found.set(path, await fs.readFile(path));
  }
  return found;
}
