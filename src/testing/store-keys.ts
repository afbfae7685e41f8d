import assert from 'node:assert/strict';
import { bytesOf } from './seeded-bytes.js';
import { all, assertCode, collect, digestOf, type StoreUnderTest } from './store-under-test.js';

/** Keys: their order, the hostile ones, and those that are refused. */
export function keyTests(test: StoreUnderTest): void {
  describe('keys', () => {
    it('lists by prefix in byte order with sizes', async () => {
      const keys = ['a/c', 'a-b', 'a/b/1', 'a/b.x', 'b', 'a/B', 'a/%C3%A9', 'ab/c'];
      for (const [index, key] of keys.entries()) await test.store.put(key, bytesOf(index + 1));
      const sorted = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
      const listed = await all(test.store.list(''));
      assert.deepEqual(
        listed.map(({ key, bytes }) => [key, bytes]),
        sorted.map((key) => [key, keys.indexOf(key) + 1]),
      );
      for (const prefix of ['a', 'a/', 'a/b', 'a/b/', 'b', 'nothing', 'a/b/1', 'a/b/12']) {
        assert.deepEqual(
          (await all(test.store.list(prefix))).map(({ key }) => key),
          sorted.filter((key) => key.startsWith(prefix)),
          prefix,
        );
      }
    });

    it('takes hostile but legal keys, up to 1,024 bytes', async () => {
      const prefixRoom = 64;
      const segment = 'x'.repeat(180);
      const keys = [
        'robot=%E6%9C%BA%E5%99%A8%E4%BA%BA%F0%9F%A4%96/~/a',
        'robot=..%2F..%2Fetc/passwd',
        'space here/plus+and&amp;<>\'quo"te/=;,:@!$()*?#[]',
        '機器人/é/e\u0301/🤖',
        '%00%2e%2e/...',
        Array.from({ length: 6 }, () => segment)
          .join('/')
          .slice(0, 1024 - prefixRoom),
      ];
      for (const [index, key] of keys.entries()) {
        const data = bytesOf(100 + index, index + 1);
        await test.store.put(key, data);
        assert.deepEqual(await collect(test.store.read(key)), data, key);
        assert.equal((await test.store.head(key))?.bytes, data.length, key);
        const [upload, receipts] = await test.send(`${key}x`, [data]);
        assert.equal((await test.store.listParts(upload)).length, 1, key);
        await test.store.completeUpload(upload, receipts);
        assert.equal(await test.store.verify(`${key}x`, digestOf(data)).then(() => 'same'), 'same');
      }
      const expected = keys.flatMap((key) => [key, `${key}x`]);
      assert.deepEqual((await all(test.store.list(''))).map(({ key }) => key).sort(), expected.sort());
    });

    it('refuses keys that could leave the store, and writes nothing', async () => {
      const keys = [
        '',
        '/',
        '/etc/passwd',
        '../x',
        'a/../../x',
        'a/./b',
        'a//b',
        'a/',
        'a\\..\\b',
        'a\0b',
        'a\nb',
        '.holdfast/store-id',
        '.holdfast/uploads/x',
        'k'.repeat(1025),
        'lone \ud800',
      ];
      for (const key of keys) {
        await assertCode(test.store.put(key, Buffer.from('x')), 'STORE_REJECTED');
        await assertCode(test.store.head(key), 'STORE_REJECTED');
        await assertCode(collect(test.store.read(key)), 'STORE_REJECTED');
        await assertCode(test.store.delete(key), 'STORE_REJECTED');
        await assertCode(test.store.createUpload(key), 'STORE_REJECTED');
      }
      assert.deepEqual(await all(test.store.list('')), []);
    });

    if (test.options.isFolder) {
      it('refuses a key below an object, and an object where keys have a folder', async () => {
        await test.store.put('a', Buffer.from('x'));
        await test.store.put('d/e', Buffer.from('x'));
        await assertCode(test.store.put('a/b', Buffer.from('x')), 'STORE_REJECTED');
        await assertCode(test.store.put('d', Buffer.from('x')), 'STORE_REJECTED');
        await assertCode(test.store.put('d', Buffer.from('x'), { ifAbsent: true }), 'STORE_REJECTED');
        assert.equal(await test.store.head('d'), undefined);
        assert.equal(await test.store.head('a/b'), undefined);
      });
    }
  });
}
