import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, encryptedKey, manifestKey } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { SINKS_FILE, writeRequiredSinks } from '../../src/core/sink.js';
import { listRows } from '../../src/recordings/list-segments.js';
import type { Located } from '../../src/recordings/locate.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { verify } from '../../src/recordings/verify.js';
import type { LegalHold } from '../../src/deletion/legal-hold.js';
import { HoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { FolderPlace } from '../../src/deletion/folder-place.js';
import { Evictor } from '../../src/seal/retention-evict.js';
import { TestClock } from '../support/test-clock.js';
import { segmentIdOf, SECOND, START } from '../recordings/sealed-fixture.js';
import { DeletionWorld, killAfter, timesOf } from './deletion-world.js';

const NAME = `${segmentIdOf(2)}.r1`;
const hold: LegalHold = {
  ...{
    format: 'holdfast-hold',
    version: 1,
    id: '00000000000000aa',
    robot: 'r1',
    by: 'law',
    reason: 'case 17',
  },
  ...{ from: String(START + 20n * SECOND), to: String(START + 21n * SECOND), at: '1' },
};

describe('a deletion', () => {
  let world: DeletionWorld;
  beforeEach(async () => {
    world = await DeletionWorld.make();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const second = { robot: 'r1', ...timesOf(2) };
  const keyOf = (number: number, robot: string): string =>
    present(
      [...world.content.objects.keys()].find(
        (key) => key.includes(`robot=${robot}/`) && key.endsWith(`${segmentIdOf(number)}.mcap`),
      ),
    );

  async function rowsOf(located: Located): Promise<string[]> {
    await using files = new FilePool(fs);
    const rows: string[] = [];
    const onProblem = ({ where, reason }: { where: string; reason: string }): never => {
      throw new Error(`${where}: ${reason}`);
    };
    for await (const row of listRows(located, { files, onProblem }))
      rows.push(`${row.state} ${row.robot} ${row.segment.slice(11, 12)}`);
    return rows.sort();
  }

  /** What sync makes of a segment: copies for two sets of rules, and files that are not sent yet. */
  async function makeCopies(name: string): Promise<string[]> {
    const { transformed, sinks } = world.folder;
    const scratch = join(sinks, 'sync.files', name);
    for (const path of [transformed, scratch]) await fs.mkdir(path, { recursive: true });
    const ends = ['0123456789ab.mcap', '0123456789ab.json', 'ba9876543210.mcap', 'ba9876543210.json.tmp'];
    const files = [...ends.map((end) => join(transformed, `${name}.${end}`)), join(scratch, 'table.parquet')];
    for (const path of files) await fs.writeFile(path, 'messages');
    return files;
  }

  async function existing(paths: readonly string[]): Promise<string[]> {
    const stats = await Promise.all(paths.map((path) => fs.stat(path).catch(() => undefined)));
    return paths.filter((_, index) => stats[index] !== undefined);
  }

  it('plans without changing anything, and names the same plan for the same content', async () => {
    const before = await world.state();
    const plan = await world.plan(second);
    assert.deepEqual(await world.state(), before);
    assert.deepEqual(
      plan.places.map(({ remove }) => remove.map(({ key }) => key)),
      [[NAME], [keyOf(2, 'r1')]],
    );
    assert.equal((await world.plan(second)).id, plan.id);
    const other = await world.plan({ ...second, robot: 'r2' });
    assert.notEqual(other.id, plan.id);
  });

  it('removes whole segments of one robot from folder and store, and every reader says deleted', async () => {
    const key = keyOf(2, 'r1');
    const { receipt } = await world.run(second);
    assert.deepEqual(
      receipt.places.map(({ removed }) => removed.map((one) => one.key)),
      [[NAME], [key]],
    );
    assert.ok(!world.content.objects.has(key));
    const tombstone = decodeManifest(present(world.content.objects.get(manifestKey(key))).toString(), key);
    assert.deepEqual(tombstone.deleted, {
      at: '1900000000000000000',
      by: 'ada@desk',
      reason: 'request 12',
      plan: receipt.plan,
    });
    const sealed = await fs.readdir(world.folder.sealed);
    assert.ok(!sealed.some((name) => name.startsWith(NAME)), sealed.join());
    await using files = new FilePool(fs);
    for (const located of [
      { kind: 'data', folder: world.folder },
      { kind: 'store', store: world.store },
    ] as const) {
      const report = await verify(located, { files });
      assert.deepEqual(report.findings, []);
      assert.equal(report.totals.tombstones, 1);
      const kept = located.kind === 'data' ? 'sealed' : 'uploaded';
      assert.deepEqual(await rowsOf(located), [
        'deleted r1 2',
        ...[`${kept} r1 1`, `${kept} r1 3`, `${kept} r2 1`, `${kept} r2 2`, `${kept} r2 3`],
      ]);
    }
  });

  it('ends in the same state after a kill at every step', async function () {
    this.timeout(60_000);
    await makeCopies(NAME);
    const restore = await world.snapshot();
    await world.run(second);
    const wanted = await world.state();
    let points = 0;
    for (; ; points++) {
      await restore();
      if (await world.runUntil(second, points + 1)) break;
      // The last kill comes after the end.
      if (!(await world.isState(wanted))) await world.run(second);
      assert.deepEqual(await world.state(), wanted, `killed at step ${points + 1}`);
    }
    assert.ok(points > 50, `only ${points} steps`);
  });

  it('removes the copies and files that sync has made of a segment, and those of no other', async () => {
    const gone = await makeCopies(NAME);
    const others = [`${segmentIdOf(3)}.r1`, `${NAME}1`].map(makeCopies);
    const kept = (await Promise.all(others)).flat();
    await world.run(second);
    assert.deepEqual(await existing(gone), []);
    assert.deepEqual(await existing(kept), kept);
  });

  it('is finished by the recorder from the first step on, with the same tombstone', async () => {
    const [place] = world.places();
    const [plan] = (await world.plan(second)).places;
    const object = present(plan?.remove[0]);
    const facts = { at: '5', by: 'ada', reason: 'request 12', plan: '0123456789abcdef' };
    // The tombstone is in place as the marker, and nothing is removed yet.
    const copies = await makeCopies(NAME);
    const { fs: disk } = killAfter(5);
    await assert.rejects(new FolderPlace(disk, world.folder).remove(object, facts), { message: 'killed' });
    const ports = { fs, clock: new TestClock(), logger: silentLogger, folder: world.folder };
    assert.ok((await fs.readdir(world.folder.sealed)).includes(`${NAME}.evicted`));
    await new Evictor(ports).finishInterrupted('quota');
    const left = (await fs.readdir(world.folder.sealed)).filter((name) => name.startsWith(NAME));
    assert.deepEqual(left, []);
    assert.deepEqual(await existing(copies), []);
    const path = join(world.folder.tombstones, `${NAME}.json`);
    assert.deepEqual(decodeManifest(await fs.readFile(path, 'utf8'), path).deleted, facts);
    assert.equal(await place.remove(object, facts), undefined);
  });

  it('keeps what a legal hold covers in any place, and says so', async () => {
    const [, store] = world.places();
    await store.holds.write(hold);
    const { places } = await world.plan({ robot: 'r1', ...timesOf(1, 3) });
    for (const { remove, keep } of places) assert.deepEqual([remove.length, keep.length], [2, 1]);
    const { receipt } = await world.run({ robot: 'r1', ...timesOf(1, 3) });
    for (const { removed, kept } of receipt.places) {
      assert.equal(removed.length, 2);
      assert.deepEqual(
        kept.map(({ why }) => why),
        ['legal hold 00000000000000aa: case 17'],
      );
    }
  });

  it('counts a hold that was placed after the plan', async () => {
    const plan = await world.plan(second);
    for (const { remove } of plan.places) assert.equal(remove.length, 1);
    const [, store] = world.places();
    await store.holds.write(hold);
    const { receipt } = await world.run(second, undefined, undefined, plan);
    for (const { removed, kept } of receipt.places) {
      assert.deepEqual(removed, []);
      assert.deepEqual(
        kept.map(({ why }) => why),
        ['legal hold 00000000000000aa: case 17'],
      );
    }
  });

  it('keeps what sync sends after the plan was made, says so, and removes it the next time', async () => {
    const key = keyOf(2, 'r1');
    const sent = [key, manifestKey(key)].map(
      (one) => [one, present(world.content.objects.get(one))] as const,
    );
    for (const [one] of sent) world.content.objects.delete(one);
    const plan = await world.plan(second);
    assert.deepEqual(
      plan.places.map(({ remove }) => remove.length),
      [1, 0],
    );
    for (const [one, data] of sent) world.content.objects.set(one, data);
    const early = (await world.run(second, undefined, undefined, plan)).receipt.places;
    assert.deepEqual(
      early.map(({ removed, kept }) => [removed.length, kept.map(({ key: left, why }) => [left, why])]),
      [
        [1, []],
        [0, [[key, 'it came after the plan was made: delete again']]],
      ],
    );
    const late = (await world.run(second)).receipt.places;
    assert.deepEqual(
      late.map(({ removed, kept }) => [removed.length, kept.length]),
      [
        [0, 0],
        [1, 0],
      ],
    );
    assert.ok(!world.content.objects.has(key));
  });

  it('aborts unfinished uploads of what it removes, and of nothing else', async () => {
    const key = keyOf(2, 'r1');
    const others = [keyOf(3, 'r1'), keyOf(2, 'r2')];
    for (const one of [key, encryptedKey(key), key.replace('.mcap', '~2.mcap'), ...others])
      await world.store.createUpload(one);
    await world.run(second);
    assert.deepEqual(
      [...world.content.uploads.values()].map((upload) => upload.key),
      others,
    );
  });

  it('leaves a tombstone in a store that an unfinished upload of the segment may reach later', async () => {
    const key = keyOf(2, 'r1');
    for (const one of [key, manifestKey(key)]) world.content.objects.delete(one);
    await world.store.createUpload(key);
    const { places } = (await world.run(second)).receipt;
    assert.deepEqual(places[1]?.kept, []);
    assert.equal(world.content.uploads.size, 0);
    const tombstone = decodeManifest(present(world.content.objects.get(manifestKey(key))).toString(), key);
    assert.equal(tombstone.deleted?.by, 'ada@desk');
  });

  it('lists an unfinished upload that the store does not abort as kept', async () => {
    await world.store.createUpload(keyOf(2, 'r1'));
    world.store.faults = ({ method }) => {
      if (method === 'abortUpload') throw new HoldfastError('STORE_REJECTED', 'no such right');
    };
    const [, store] = (await world.run(second)).receipt.places;
    assert.deepEqual(
      store?.kept.map(({ why }) => why),
      ['the store refuses: no such right'],
    );
  });

  it('counts no hold that was released or is of another robot', async () => {
    const [folder] = world.places();
    await folder.holds.write({ ...hold, id: '00000000000000ab', robot: 'r2' });
    await folder.holds.write({ ...hold, released: { at: '2', by: 'law', reason: 'closed' } });
    assert.equal((await world.run(second)).receipt.places[0]?.removed.length, 1);
  });

  it('refuses to plan while a hold cannot be read', async () => {
    const [, store] = world.places();
    await store.holds.write(hold);
    world.content.objects.set('_holdfast/holds/00000000000000aa.json', Buffer.from('{"format":'));
    await assert.rejects(world.plan(second), { code: 'MANIFEST_INVALID' });
  });

  it('puts the manifest back if the store refuses to remove the object', async () => {
    const before = new Map(world.content.objects);
    world.store.faults = ({ method }, phase) => {
      if (method === 'delete' && phase === 'before') throw new HoldfastError('STORE_REJECTED', 'object lock');
    };
    const { receipt } = await world.run(second);
    const { removed, kept } = present(receipt.places[1]);
    assert.deepEqual(removed, []);
    assert.match(present(kept[0]).why, /the store refuses.*object lock/);
    assert.deepEqual(world.content.objects, before);
  });

  it('notes each place to which sync sends from a data folder, and a list of them that is damaged', async () => {
    const notes = async (): Promise<readonly string[]> => {
      const place = new FolderPlace(fs, world.folder);
      return (await place.survey(second, [])).notes.filter((note) => /sync/.test(note));
    };
    assert.deepEqual(await notes(), []);
    const path = join(world.folder.root, SINKS_FILE);
    const sinks = ['influx:http://db:8086', 's3://rec/fleet', 's3://rec/fleet'];
    await writeRequiredSinks(
      fs,
      path,
      sinks.map((uri, index) => ({ uri, form: String(index), selection: {} })),
    );
    assert.deepEqual(
      (await notes()).map((note) => /sync sends to (\S+): /.exec(note)?.[1]),
      sinks.slice(0, 2),
    );
    await fs.writeFile(path, '{"version":1,');
    assert.match((await notes()).join(), /^nothing tells where sync has sent segments: .*sinks\.json/);
  });

  it('lists what is not sealed and what is in quarantine as kept', async () => {
    await fs.mkdir(join(world.folder.wal, segmentIdOf(4)));
    await fs.mkdir(join(world.folder.quarantine, segmentIdOf(5)));
    const [place] = (await world.plan(second)).places;
    assert.deepEqual(
      place?.keep.map(({ key }) => key),
      [segmentIdOf(4), segmentIdOf(5)],
    );
  });
});
