import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { silentLogger } from '../../src/core/logger.js';
import { present } from '../../src/core/present.js';
import { sealSegment } from '../../src/seal/seal-segment.js';
import { Sealer, type WaitingSegment } from '../../src/seal/sealer.js';
import { BLOB_FILE } from '../../src/wal/segment-format.js';
import type { Message } from '../../src/core/message.js';
import type { Batch } from '../../src/ingest/batch.js';
import { crashMessage, largeNumber } from './crash-message.js';
import { quickFs, restore, walKeysOf, type Encrypted } from './crash-states.js';
import { systemError, watchedFs } from './faulty-fs.js';
import { batch, identity, openWal, temporaryFolder, type OpenedWal } from './wal-support.js';
import { testRecipient } from '../support/encrypted-segments.js';
import { TestClock } from '../support/test-clock.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

/**
 * Random commits, rolls, kills, recoveries, failing writes and failing seals against the simplest model there
 * is: the set of acknowledged messages.
 */
describe('WAL and sealing under random actions', function () {
  this.timeout(60_000);
  const runs: [number, Encrypted][] = [1, 2, 3, 4, 5, 6].map((seed) => [seed, 'nothing']);
  runs.push([7, 'wal'], [8, 'wal']);
  for (const [seed, encrypted] of runs) {
    const form = encrypted === 'wal' ? ', encrypted' : '';
    it(`keep every acknowledged message exactly once (seed ${seed}${form})`, async () => {
      const run = new RandomRun(seed, await temporaryFolder(), encrypted);
      try {
        await run.start();
        for (let step = 0; step < 60; step++) await run.step();
        await run.finish();
      } finally {
        await run.remove();
      }
    });
  }
});

const batches = new WeakMap<readonly Message[], Batch>();

/** One batch for the same messages, as the WAL knows it again by identity. */
function batchOf(messages: readonly Message[]): Batch {
  const made = batches.get(messages) ?? batch(messages);
  batches.set(messages, made);
  return made;
}

class RandomRun {
  readonly #bytes: (size: number) => Uint8Array;
  readonly #acknowledged = new Set<number>();
  #opened!: OpenedWal;
  #waiting: WaitingSegment[] = [];
  #next = 1;
  #failBlob: 'datasync' | 'writev' | undefined;
  /** Named to the WAL as the next to be committed. */
  #upcoming: Message[] | undefined;
  readonly #roots: string[] = [];

  #folder: DataFolder;

  readonly #encrypted: Encrypted;

  constructor(seed: number, folder: DataFolder, encrypted: Encrypted) {
    this.#folder = folder;
    this.#encrypted = encrypted;
    this.#bytes = seededBytes(seed * 977);
  }

  #below(limit: number): number {
    return Buffer.from(this.#bytes(4)).readUInt32LE() % limit;
  }

  async start(): Promise<void> {
    this.#roots.push(this.#folder.root);
    const fs = watchedFs(({ method, path }) => {
      if (method !== this.#failBlob || !path.endsWith(BLOB_FILE)) return;
      this.#failBlob = undefined;
      throw systemError('EIO');
    });
    this.#opened = await openWal(this.#folder, {
      fs,
      options: { segmentMaxBytes: 400_000 },
      keys: walKeysOf(this.#encrypted),
    });
    this.#waiting = this.#opened.recovered.segments.map((segment) => ({ ...segment, recovered: true }));
  }

  async step(): Promise<void> {
    const action = this.#below(20);
    if (action < 11) await this.#append();
    else if (action < 13) await this.#opened.wal.roll();
    else if (action < 14) this.#failBlob = this.#below(2) === 0 ? 'datasync' : 'writev';
    else if (action < 18) await this.#seal(this.#below(3) === 0);
    else await this.#kill();
    for (const segment of this.#opened.closed.splice(0)) this.#waiting.push({ ...segment, recovered: false });
  }

  async finish(): Promise<void> {
    await this.#opened.wal.close();
    const { found, quarantined } = await restore(this.#folder.root, quickFs(), this.#encrypted);
    assert.deepEqual(
      [...found.keys()].sort((a, b) => a - b),
      [...this.#acknowledged].sort((a, b) => a - b),
    );
    assert.ok([...found.values()].every((times) => times === 1));
    assert.deepEqual(quarantined, []);
    assert.ok(this.#acknowledged.size > 20);
  }

  async remove(): Promise<void> {
    await this.#opened.wal.close();
    for (const root of this.#roots) await realFs.rm(root, { recursive: true, force: true });
  }

  /** Commits a batch, half of the time with the next one written ahead, which then comes next or never. */
  async #append(): Promise<void> {
    const { wal } = this.#opened;
    const large = this.#below(3) === 0;
    const messages = this.#upcoming ?? this.#makeMessages(large);
    this.#upcoming = undefined;
    const committed = wal.commit(batchOf(messages));
    if (large || this.#below(2) === 0) {
      this.#upcoming = this.#makeMessages(large);
      wal.writeAhead(batchOf(this.#upcoming));
    }
    await committed;
    assert.ok(messages.every(({ sourceSequence }) => this.#acknowledged.has(present(sourceSequence))));
  }

  #makeMessages(large: boolean): Message[] {
    if (large) this.#next = largeNumber(this.#next);
    return Array.from({ length: 1 + this.#below(large ? 2 : 4) }, () => {
      const number = this.#next++;
      return { ...crashMessage(number), ack: () => void this.#acknowledged.add(number) };
    });
  }

  /** Seals one of those that wait, in any order; failing, it stops somewhere and waits on. */
  async #seal(failing: boolean): Promise<void> {
    const [segment] = this.#waiting.splice(this.#below(Math.max(1, this.#waiting.length)), 1);
    if (!segment) return;
    let left = failing ? this.#below(25) : Infinity;
    const fs: FileSystem = quickFs(() => {
      if (left-- <= 0) throw systemError('ENOSPC');
    });
    const sealer = new Sealer(
      this.#folder,
      {
        compression: 'none',
        level: 1,
        chunkBytes: 65_536,
        splitByPriority: false,
        softwareVersion: '0',
        nodeVersion: '0',
        recipients: this.#encrypted === 'nothing' ? [] : [testRecipient],
        walKeys: walKeysOf(this.#encrypted),
      },
      {
        fs,
        clock: new TestClock(),
        logger: silentLogger,
        identity,
        seal: (request) => sealSegment(fs, request),
        onSealed: () => undefined,
      },
    );
    sealer.enqueue(segment);
    await sealer.drain();
    await sealer.close();
    if (sealer.waiting > 0) this.#waiting.push(segment);
  }

  /** What a kill leaves, in a folder of its own, since this process holds the old one open. */
  async #kill(): Promise<void> {
    const root = `${this.#roots[0]}-${this.#roots.length}`;
    for (let tries = 0; ; tries++) {
      try {
        await realFs.cp(this.#folder.root, root, { recursive: true });
        break;
      } catch (error) {
        // The next segment was just being made in the background.
        if (tries === 5) throw error;
        await realFs.rm(root, { recursive: true, force: true });
      }
    }
    this.#upcoming = undefined;
    await this.#opened.wal.close();
    await realFs.rm(this.#folder.root, { recursive: true });
    this.#folder = dataFolder(root);
    await this.start();
  }
}
