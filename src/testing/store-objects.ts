import assert from 'node:assert/strict';
import { bytesOf } from './seeded-bytes.js';
import {
  ID,
  OTHER_ID,
  KEY,
  all,
  assertCode,
  collect,
  digestOf,
  type StoreUnderTest,
} from './store-under-test.js';

/** The id object, marks, and objects that are put whole. */
export function objectTests(test: StoreUnderTest): void {
  describe('id object', () => {
    it('has no id at first, then the one that was created, also for a second adapter', async () => {
      assert.equal(await test.store.readId(), undefined);
      assert.equal(await test.store.createId(ID), ID);
      assert.equal(await test.store.readId(), ID);
      assert.equal(await (await test.harness.reopen()).readId(), ID);
    });

    it('keeps the first id when another is created, and says which one is there', async () => {
      await test.store.createId(ID);
      assert.equal(await test.store.createId(OTHER_ID), ID);
      assert.equal(await test.store.createId(ID), ID);
      assert.equal(await test.store.readId(), ID);
    });

    it('does not list its id object', async () => {
      await test.store.createId(ID);
      assert.deepEqual(await all(test.store.list('')), []);
    });

    it('gives back the last mark of each name, also to a second adapter, and lists none', async () => {
      await test.store.createId(ID);
      assert.equal(await test.store.readMark(ID), undefined);
      await test.store.writeMark(ID, 'first');
      await test.store.writeMark(OTHER_ID, 'other');
      await test.store.writeMark(ID, 'second');
      assert.equal(await (await test.harness.reopen()).readMark(ID), 'second');
      assert.equal(await test.store.readMark(OTHER_ID), 'other');
      assert.deepEqual(await all(test.store.list('')), []);
    });
  });

  describe('whole objects', () => {
    it('reads back what was put, whole and in ranges', async () => {
      const data = bytesOf(300_000);
      const info = await test.store.put(KEY, data);
      assert.equal(info.key, KEY);
      assert.equal(info.bytes, data.length);
      assert.deepEqual(await collect(test.store.read(KEY)), data);
      for (const [start, end] of [
        [0, 1],
        [0, 300_000],
        [299_999, 300_000],
        [100_001, 262_145],
        [299_000, 400_000],
      ] as const) {
        const expected = data.subarray(start, end);
        assert.deepEqual(await collect(test.store.read(KEY, { start, end })), expected, `${start}..${end}`);
      }
    });

    it('reads nothing from an empty range and from one behind the end', async () => {
      await test.store.put(KEY, bytesOf(10));
      assert.equal((await collect(test.store.read(KEY, { start: 5, end: 5 }))).length, 0);
      assert.equal((await collect(test.store.read(KEY, { start: 10, end: 20 }))).length, 0);
      assert.equal((await collect(test.store.read(KEY, { start: 900, end: 901 }))).length, 0);
    });

    it('refuses a range that cannot be', async () => {
      await test.store.put(KEY, bytesOf(10));
      for (const range of [
        { start: -1, end: 5 },
        { start: 6, end: 5 },
        { start: 0.5, end: 5 },
      ]) {
        await assertCode(collect(test.store.read(KEY, range)), 'STORE_REJECTED');
      }
    });

    it('lets a reader stop in the middle', async () => {
      await test.store.put(KEY, bytesOf(2_000_000));
      let seen = 0;
      for await (const chunk of test.store.read(KEY)) {
        seen += chunk.byteLength;
        break;
      }
      assert.ok(seen > 0);
      assert.equal((await test.store.head(KEY))?.bytes, 2_000_000);
    });

    it('knows a missing object everywhere', async () => {
      assert.equal(await test.store.head(KEY), undefined);
      await assertCode(collect(test.store.read(KEY)), 'OBJECT_MISSING');
      await assertCode(collect(test.store.read(KEY, { start: 3, end: 3 })), 'OBJECT_MISSING');
      await assertCode(test.store.verify(KEY, digestOf(bytesOf(1))), 'OBJECT_MISSING');
      await test.store.delete(KEY);
    });

    it('holds an empty object', async () => {
      await test.store.put(KEY, Buffer.alloc(0));
      assert.equal((await test.store.head(KEY))?.bytes, 0);
      assert.equal((await collect(test.store.read(KEY))).length, 0);
      assert.equal((await collect(test.store.read(KEY, { start: 0, end: 9 }))).length, 0);
      await test.store.verify(KEY, digestOf(Buffer.alloc(0)));
    });

    it('replaces an object, unless asked not to', async () => {
      await test.store.put(KEY, Buffer.from('one'));
      await test.store.put(KEY, Buffer.from('second'));
      assert.equal((await collect(test.store.read(KEY))).toString(), 'second');
      await assertCode(test.store.put(KEY, Buffer.from('third'), { ifAbsent: true }), 'OBJECT_EXISTS');
      assert.equal((await collect(test.store.read(KEY))).toString(), 'second');
      assert.equal((await test.store.head(KEY))?.bytes, 6);
    });

    it('puts if absent once, and again after a deletion', async () => {
      await test.store.put(KEY, Buffer.from('a'), { ifAbsent: true });
      await assertCode(test.store.put(KEY, Buffer.from('a'), { ifAbsent: true }), 'OBJECT_EXISTS');
      await test.store.delete(KEY);
      await test.store.delete(KEY);
      assert.equal(await test.store.head(KEY), undefined);
      await test.store.put(KEY, Buffer.from('b'), { ifAbsent: true });
    });

    it('lets one of two writers win when both put if absent', async () => {
      if (!test.store.supports.conditionalPut) return;
      const outcomes = await Promise.allSettled(
        ['x', 'y'].map((text) => test.store.put(KEY, Buffer.from(text), { ifAbsent: true })),
      );
      // An adapter may find this out by this very call.
      if (!(test.store.supports.conditionalPut as boolean)) return;
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    });
  });
}
