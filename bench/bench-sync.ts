import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { renderTable } from '../src/host/human.js';
import { MANIFEST_VERSION, encodeManifest, type Manifest } from '../src/core/manifest.js';
import { newSegmentId } from '../src/core/segment-id.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { runCase } from './run-child.js';

const SEGMENTS = 4;
const SEGMENT_BYTES = 64 * 1024 * 1024;
const LINKS = [
  { name: 'unshaped', bytesPerS: undefined, target: 0.9 },
  { name: '25 MB/s', bytesPerS: 25_000_000, target: 0.98 },
] as const;
const MAX_RESIDENT_MB = 120;
/** Encryption may cost a tenth of what sync does without it. */
const ENCRYPTED_TARGET = 0.9;
const variants = ['holdfast', 'encrypted', 'lib-storage'] as const;

interface SyncCase {
  readonly seconds: number;
  readonly residentMb: number;
}

/** Sync against lib-storage's Upload: the same bytes, the same server, in turn, and Holdfast once more for a recipient. Holdfast's time includes verifying and manifests. */
export async function benchSync({ rounds, folder, scale, say }: BenchContext): Promise<BenchReport> {
  const results: Record<string, unknown> = {};
  const misses: string[] = [];
  const segmentBytes = Math.max(1024 * 1024, Math.round(SEGMENT_BYTES * scale));
  const total = SEGMENTS * segmentBytes;
  const rows: string[][] = [];
  for (const { name, bytesPerS, target } of LINKS) {
    const runs: Record<string, SyncCase[]> = { holdfast: [], encrypted: [], 'lib-storage': [] };
    for (let round = 0; round < (bytesPerS ? Math.min(rounds, 3) : rounds); round++) {
      for (const variant of variants) {
        const blobs = join(folder, 's3');
        const data = join(folder, 'sync-data');
        await makeSegments(data, segmentBytes);
        await mkdir(blobs, { recursive: true });
        const server = await startServer(blobs, bytesPerS);
        const result = await runCase<SyncCase>('sync-case', [
          variant,
          data,
          server.endpoint,
          `${name}-${round}`.replace(/\W/g, '-'),
        ]);
        (runs[variant] as SyncCase[]).push(result);
        await server.stop();
        await rm(blobs, { recursive: true, force: true });
        await rm(data, { recursive: true, force: true });
      }
    }
    const rate = (variant: string): number =>
      total / 1e6 / median((runs[variant] as SyncCase[]).map((run) => run.seconds));
    const memory = (variant: string): number =>
      median((runs[variant] as SyncCase[]).map((run) => run.residentMb));
    const ratio = rate('holdfast') / rate('lib-storage');
    const encryptedRatio = rate('encrypted') / rate('holdfast');
    results[name] = {
      ratio,
      encryptedRatio,
      encryptedMbPerS: rate('encrypted'),
      holdfastMbPerS: rate('holdfast'),
      libStorageMbPerS: rate('lib-storage'),
      residentMb: memory('holdfast'),
    };
    for (const variant of variants) {
      rows.push([
        name,
        variant,
        rate(variant).toFixed(1),
        (rate(variant) / rate('lib-storage')).toFixed(3),
        memory(variant).toFixed(0),
      ]);
    }
    if (ratio < target) misses.push(`sync ${name}: ${ratio.toFixed(3)} of lib-storage, target ${target}`);
    if (encryptedRatio < ENCRYPTED_TARGET) {
      misses.push(
        `sync ${name}: encrypted ${encryptedRatio.toFixed(3)} of plain, target ${ENCRYPTED_TARGET}`,
      );
    }
    if (memory('holdfast') > MAX_RESIDENT_MB)
      misses.push(`sync ${name}: ${memory('holdfast').toFixed(0)} MB resident, target ${MAX_RESIDENT_MB}`);
  }
  say('');
  say(`upload of ${SEGMENTS} segments of ${(segmentBytes / 1e6).toFixed(0)} MB`);
  const heads = ['link', '', 'MB/s', 'of lib-storage', 'peak MB'];
  renderTable(
    heads.map((head, i) => ({ head, right: i > 1 })),
    rows,
  ).forEach((line) => say(line));
  return { results, misses };
}

/** Ready-made sealed segments: sync never looks inside, so noise will do. */
async function makeSegments(data: string, bytes: number): Promise<void> {
  const sealed = join(data, 'sealed');
  await mkdir(sealed, { recursive: true });
  for (let number = 1; number <= SEGMENTS; number++) {
    const content = randomBytes(bytes);
    const id = newSegmentId(number, randomBytes);
    const name = `${id}.robot1.mcap`;
    const manifest: Manifest = {
      format: 'holdfast-manifest',
      version: MANIFEST_VERSION,
      segment: { id, number },
      robot: 'robot1',
      file: {
        name,
        bytes,
        sha256: createHash('sha256').update(content).digest('hex'),
        crc32: crc32(content),
        compression: 'none',
      },
      key: `robot=robot1/date=2026-01-01/hour=00/${id}.mcap`,
      messages: 0,
      payloadBytes: 0,
      channels: [],
      gaps: [],
      identity: { dataFolderId: '', machineId: '', bootId: '', sessionId: '', hostname: '' },
      clockSteps: [],
      uncleanEnd: false,
      sealedAt: '0',
      software: { name: 'holdfast', version: 'bench', node: process.version },
    };
    await writeFile(join(sealed, name), content);
    await writeFile(join(sealed, name.replace(/\.mcap$/, '.json')), encodeManifest(manifest));
  }
}

interface BenchServer {
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** The project's own S3 server in a process of its own. */
async function startServer(folder: string, bandwidthBytesPerS: number | undefined): Promise<BenchServer> {
  const path = `../test/support/s3-fault-server/main${extname(import.meta.url)}`;
  const options = JSON.stringify({
    buckets: ['bench'],
    folder,
    ...(bandwidthBytesPerS ? { bandwidthBytesPerS } : {}),
  });
  const child: ChildProcessWithoutNullStreams = spawn(process.execPath, [
    ...process.execArgv,
    fileURLToPath(new URL(path, import.meta.url)),
    options,
  ]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = JSON.parse((await lines.next()).value as string) as {
    endpoint: string;
    accessKeyId: string;
    secretAccessKey: string;
  };
  process.env['AWS_ACCESS_KEY_ID'] = hello.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = hello.secretAccessKey;
  return {
    endpoint: hello.endpoint,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.stdin.end();
      }),
  };
}
