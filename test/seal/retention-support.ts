import { createHash, randomBytes } from 'node:crypto';
import { present } from '../../src/core/present.js';
import * as realFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { silentLogger } from '../../src/core/logger.js';
import { encodeManifest, manifestKey, type Manifest } from '../../src/core/manifest.js';
import type { Priority } from '../../src/core/message.js';
import type { StoreAnswer, StoreReceipt } from '../../src/core/receipt-file.js';
import type { RetentionOptions, RetentionPorts } from '../../src/seal/retention-options.js';
import { TestClock } from '../support/test-clock.js';

/** A real folder that claims to be a disk of `capacity` bytes, and some system calls of which may fail. */
export class TestDisk {
  capacity: number;
  /** Bytes somebody else holds on this disk. */
  others = 0;
  /** Called before every operation; throws to fail it. */
  before: (operation: string, path: string) => void = () => undefined;
  readonly clock = new TestClock();
  readonly folder: DataFolder;

  private constructor(root: string, capacity: number) {
    this.folder = dataFolder(root);
    this.capacity = capacity;
  }

  static async create(capacity: number): Promise<TestDisk> {
    const disk = new TestDisk(await realFs.mkdtemp(join(tmpdir(), 'holdfast-retention-')), capacity);
    const { wal, sealed, receipts, tombstones, quarantine, sync, trash } = disk.folder;
    for (const path of [wal, sealed, receipts, tombstones, quarantine, sync, trash]) await realFs.mkdir(path);
    await disk.useStore('s');
    return disk;
  }

  async remove(): Promise<void> {
    await realFs.rm(this.folder.root, { recursive: true, force: true });
  }

  get fs(): FileSystem {
    return new Proxy(realFs, {
      get:
        (target, operation: string) =>
        async (path: string, ...rest: unknown[]) => {
          this.before(operation, path);
          if (operation === 'statfs') return this.#statfs();
          return (target as unknown as Record<string, (...all: unknown[]) => unknown>)[operation]?.(
            path,
            ...rest,
          );
        },
    });
  }

  ports(): RetentionPorts {
    return { fs: this.fs, clock: this.clock, random: randomBytes, logger: silentLogger, patienceMs: 0 };
  }

  async free(): Promise<number> {
    return this.capacity - this.others - (await bytesOf(this.folder.root));
  }

  async #statfs(): Promise<unknown> {
    const free = await this.free();
    return { bsize: 1, blocks: this.capacity, bavail: free, bfree: free, files: 0, ffree: 0, type: 0 };
  }

  /** Puts a sealed segment of `bytes` there, as the sealer would. */
  async seal(number: number, given: SealedSpec = {}): Promise<Manifest> {
    const manifest = manifestOf(number, given);
    await realFs.writeFile(
      join(this.folder.sealed, manifest.file.name),
      contentOf(number, manifest.file.bytes),
    );
    await realFs.writeFile(join(this.folder.sealed, `${nameOf(manifest)}.json`), encodeManifest(manifest));
    return manifest;
  }

  /** What sync writes when it knows the store. */
  async useStore(storeId: string, uri = 'dir:x'): Promise<void> {
    const known = { version: 1, stores: [{ uri, storeId }] };
    await realFs.writeFile(join(this.folder.root, 'stores.json'), JSON.stringify(known));
  }

  /** What sync writes once a store provably holds the segment. */
  async verify(
    manifest: Manifest,
    sha256 = present(manifest.file.sha256),
    asked: Partial<StoreAnswer> | null = {},
  ): Promise<void> {
    const { key } = manifest;
    const { bytes, crc32: crc } = manifest.file;
    const answer: StoreAnswer = {
      answer: 'held',
      askedAt: String(this.clock.now()),
      storeId: 's',
      object: { key, bytes, sha256, crc32: crc },
      manifest: { key: manifestKey(key), bytes: 1, sha256: '0'.repeat(64), crc32: 0 },
      ...asked,
    };
    const receipt: StoreReceipt = {
      storeId: 's',
      uri: 'dir:x',
      key,
      sha256,
      verification: 'read-back',
      verifiedAt: '1',
      ...(asked && { asked: answer }),
    };
    const content = { version: 1, segment: manifest.segment.id, robot: manifest.robot, stores: [receipt] };
    await realFs.writeFile(join(this.folder.receipts, `${nameOf(manifest)}.json`), JSON.stringify(content));
  }

  sealed(): Promise<string[]> {
    return list(this.folder.sealed);
  }

  tombstones(): Promise<string[]> {
    return list(this.folder.tombstones);
  }
}

export interface SealedSpec {
  readonly bytes?: number;
  readonly robot?: string;
  readonly priority?: Priority;
  readonly salvagedFrom?: string;
}

export const defaults: RetentionOptions = {
  minFreeBytes: 0,
  minFreePercent: 50,
  maxBytes: 0,
  whenFull: 'stop',
  confirmMaxAgeMs: 600_000,
  ballastBytes: 0,
  segmentMaxBytes: 0,
};

export function idOf(number: number): string {
  return `${String(number).padStart(12, '0')}-${createHash('md5').update(String(number)).digest('hex')}`;
}

export function nameOf(manifest: Manifest): string {
  return manifest.file.name.replace(/\.mcap$/, '');
}

export function manifestOf(number: number, given: SealedSpec = {}): Manifest {
  const { bytes = 100_000, robot = 'r1', priority, salvagedFrom } = given;
  const id = idOf(number);
  const content = contentOf(number, bytes);
  const name = priority ? `${id}.${robot}.${priority}` : `${id}.${robot}`;
  return {
    format: 'holdfast-manifest',
    version: 1,
    segment: { id, number, ...(priority ? { priority } : {}), ...(salvagedFrom ? { salvagedFrom } : {}) },
    robot,
    file: {
      name: `${name}.mcap`,
      bytes,
      sha256: createHash('sha256').update(content).digest('hex'),
      crc32: crc32(content),
      compression: 'none',
    },
    key: `robot=${robot}/date=2026-11-21/hour=08/${id}.mcap`,
    messages: 10 * number,
    payloadBytes: bytes,
    firstLogTime: '1000',
    lastLogTime: '2000',
    channels: [],
    gaps: [],
    identity: { dataFolderId: '', machineId: '', bootId: '', sessionId: '', hostname: '' },
    clockSteps: [],
    uncleanEnd: false,
    sealedAt: '3000',
    software: { name: 'holdfast', version: '0', node: 'v20' },
  };
}

function contentOf(number: number, bytes: number): Buffer {
  return Buffer.alloc(bytes, number & 0xff);
}

async function list(path: string): Promise<string[]> {
  return (await realFs.readdir(path)).sort();
}

async function bytesOf(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await realFs.readdir(path, { withFileTypes: true })) {
    const at = join(path, entry.name);
    bytes += entry.isDirectory() ? await bytesOf(at) : (await realFs.stat(at)).size;
  }
  return bytes;
}
