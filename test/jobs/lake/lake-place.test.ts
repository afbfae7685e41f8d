import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { planDeletion, requestId, type DeletionPlan } from '../../../src/deletion/deletion-plan.js';
import type { DeletionReceipt } from '../../../src/deletion/deletion-receipt.js';
import type { DeletionRequest } from '../../../src/deletion/deletion-request.js';
import { journalName, readJournal, runDeletion } from '../../../src/deletion/run-deletion.js';
import { present } from '../../../src/core/present.js';
import type { FileSystem } from '../../../src/core/file-system.js';
import { compactLake } from '../../../src/jobs/lake/compact-lake.js';
import { LakePlace } from '../../../src/jobs/lake/lake-place.js';
import { lakeForms, readLake } from '../../../src/jobs/lake/lake-state.js';
import { ParquetDeriver } from '../../../src/jobs/lake/parquet-deriver.js';
import type { Sink } from '../../../src/sync/sync-group.js';
import { killAfter, SECRET } from '../../deletion/deletion-world.js';
import { drainGroup } from '../../sync/group-world.js';
import { realClock, SyncWorld } from '../../sync/sync-world.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { MemoryStore } from '../../support/memory-store.js';
import { EIGHT, event, lakeSink, layoutOf, sealLake, sharedPool } from './lake-world.js';

const SECOND = 1_000_000_000n;
const MARKER = 'a text that must go';
const signal = new AbortController().signal;
/** Texts 3 to 7 of the second segment, and events of that time. */
const request: DeletionRequest = { robot: 'r1', from: EIGHT + 13n * SECOND, to: EIGHT + 17n * SECOND };

/** So that a search of bytes finds a text. */
function uncompressed(store: MemoryStore): Sink {
  const encoding = { codec: 'none', rowGroupRows: 1_000 } as const;
  const deriver = new ParquetDeriver(fs, { layout: layoutOf(), pool: sharedPool, encoding });
  return lakeSink(store, { deriver, form: deriver.form });
}

describe('the deletion of rows of a lake', function () {
  this.timeout(120_000);
  let world: SyncWorld;
  let store: MemoryStore;
  let out: string;
  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
    out = await fs.mkdtemp(join(tmpdir(), 'holdfast-lake-place-'));
    for (const robot of ['r1', 'r2']) {
      for (const segment of [0, 1, 2]) {
        const texts = Array.from({ length: 10 }, (_, line) => {
          const number = 10 * segment + line;
          const logTime = EIGHT + BigInt(number) * SECOND;
          const isNamed = robot === request.robot && logTime >= request.from && logTime <= request.to;
          return {
            topic: `/${robot}/text`,
            logTime,
            text: isNamed ? `${MARKER} ${number}` : `text ${number}`,
          };
        });
        const events =
          robot === 'r1' ? [event(segment, { logTime: EIGHT + BigInt(10 * segment + 5) * SECOND })] : [];
        await sealLake(world, events, texts, robot);
      }
    }
    await drainGroup(world, [uncompressed(store)]);
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
    await fs.rm(out, { recursive: true });
  });
  after(() => sharedPool[Symbol.asyncDispose]());

  const place = (fileSystem: FileSystem = fs, of = store): LakePlace =>
    new LakePlace(of, signal, { fs: fileSystem, clock: realClock });

  async function run(asked = request, fileSystem: FileSystem = fs, of = store): Promise<DeletionReceipt> {
    const places = [place(fileSystem, of)];
    const journal = join(out, journalName(requestId(asked, places)));
    const begun = await readJournal(fs, journal);
    const plan: DeletionPlan = begun?.plan ?? (await planDeletion(asked, places));
    const facts = { at: '1900000000000000000', by: 'ada', reason: 'request 12', plan: plan.id };
    const ports = { fs: fileSystem, clock: realClock, places, journal, secret: SECRET, signal };
    const { receipt } = await runDeletion(
      ports,
      begun ?? { format: 'holdfast-deletion-journal', version: 1, plan, facts },
    );
    return receipt;
  }

  async function compacted(): Promise<void> {
    for (const form of await lakeForms(store, signal)) {
      const options = { smallBytes: 1 << 20, targetBytes: 1 << 22, keepMs: 0 };
      const onProblem = ({ where, reason }: { where: string; reason: string }): never => {
        throw new Error(`${where}: ${reason}`);
      };
      const random = (count: number): Uint8Array => Buffer.alloc(count, 7);
      await compactLake(form, options, { store, fs, clock: realClock, random, signal, onProblem });
    }
  }

  /** Rows of the live files, as DuckDB reads them: robot, topic and seconds. */
  async function rows(): Promise<string[]> {
    const folder = await fs.mkdtemp(join(out, 'rows-'));
    const found: string[] = [];
    for (const form of await lakeForms(store, signal)) {
      for (const { key } of (await readLake(store, form, signal, () => undefined)).live.values()) {
        const path = join(folder, key.replaceAll('/', '_'));
        await fs.mkdir(dirname(path), { recursive: true });
        await fs.writeFile(path, present(store.content.objects.get(key)));
        const some = await rowsOf(
          await duckdb(),
          `SELECT robot, topic, epoch_ns(log_time) AS at FROM read_parquet('${path}', hive_partitioning=false)`,
        );
        for (const { robot, topic, at } of some)
          found.push(`${String(robot)} ${String(topic)} ${Number(BigInt(String(at)) - EIGHT) / 1e9}`);
      }
    }
    return found.sort();
  }

  const isNamed = (row: string): boolean => {
    const [robot, , at] = row.split(' ');
    return robot === 'r1' && Number(at) >= 13 && Number(at) <= 17;
  };
  const tables = (): string[] => [...store.content.objects.keys()].filter((key) => key.endsWith('.parquet'));
  const hasMarker = (): boolean => [...store.content.objects.values()].some((data) => data.includes(MARKER));

  for (const isCompacted of [false, true]) {
    it(`removes the rows and nothing else ${isCompacted ? 'after' : 'before'} a compaction`, async () => {
      if (isCompacted) await compacted();
      const before = await rows();
      assert.equal(before.filter(isNamed).length, 6);
      const receipt = await run();
      const after = await rows();
      assert.deepEqual(
        after,
        before.filter((row) => !isNamed(row)),
      );
      const [{ removed, kept }] = receipt.places as [DeletionReceipt['places'][number]];
      assert.deepEqual(kept, []);
      assert.equal(
        removed.reduce((sum, { messages }) => sum + messages, 0),
        6,
      );
      assert.equal(
        removed.some(({ remainder }) => remainder === undefined),
        !isCompacted,
      );
      // A later compaction takes its steps for sound, and every table is of the lake.
      await compacted();
      assert.deepEqual(await rows(), after);
      const live = (
        await readLake(store, present((await lakeForms(store, signal))[0]), signal, () => undefined)
      ).live;
      assert.deepEqual(tables().sort(), [...live.keys()].sort());
    });
  }

  it('ends with the same rows after a kill at every step, and leaves no byte of the removed rows', async () => {
    assert.ok(hasMarker());
    const objects = [...store.content.objects];
    const wanted = (await rows()).filter((row) => !isNamed(row));
    let points = 0;
    for (; ; points++) {
      store.content.objects.clear();
      for (const [key, data] of objects) store.content.objects.set(key, data);
      const { fs: disk, step: faults } = killAfter(points + 1);
      const dying = new MemoryStore({ content: store.content, faults });
      const isOver = await run(request, disk, dying).then(
        () => true,
        () => false,
      );
      if (points % 7 === 0)
        assert.deepEqual(
          (await rows()).filter((row) => !isNamed(row)),
          wanted,
          `step ${points}`,
        );
      if (isOver) break;
      await run();
      assert.ok(!hasMarker(), `step ${points + 1}`);
      if (points % 7 === 0) assert.deepEqual(await rows(), wanted, `step ${points + 1}`);
      for (const name of await fs.readdir(out)) await fs.rm(join(out, name), { recursive: true });
    }
    assert.ok(points > 30, `only ${points} steps`);
  });

  it('keeps the rows of a legal hold, and says how many', async () => {
    await place().holds.write({
      ...{
        format: 'holdfast-hold',
        version: 1,
        id: '00000000000000aa',
        robot: 'r1',
        by: 'law',
        reason: 'case 17',
      },
      ...{ from: String(EIGHT + 14n * SECOND), to: String(EIGHT + 14n * SECOND), at: '1' },
    });
    const [{ kept }] = (await run()).places as [DeletionReceipt['places'][number]];
    assert.deepEqual(
      kept.map(({ why }) => why),
      ['1 rows: legal hold 00000000000000aa: case 17'],
    );
    assert.deepEqual((await rows()).filter(isNamed), ['r1 /r1/text 14']);
  });

  it('is not undone by sync', async () => {
    await run();
    const before = await rows();
    await fs.rm(world.folder.sync, { recursive: true });
    await fs.rm(world.folder.receipts, { recursive: true });
    await drainGroup(world, [uncompressed(store)]);
    assert.deepEqual(await rows(), before);
  });
});
