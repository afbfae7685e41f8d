import assert from 'node:assert/strict';
import { present } from '../../src/core/present.js';
import { parseSampleSize, sampleEntries, type SampleSize } from '../../src/recordings/sample-store.js';
import { MemoryStore } from '../support/memory-store.js';

describe('a sample of a store', () => {
  const store = new MemoryStore();
  const all = ['a', 'b', 'c', 'd', 'e'];
  for (const name of all) {
    store.content.objects.set(`${name}.mcap`, Buffer.alloc(1));
    store.content.objects.set(`${name}.json`, Buffer.alloc(1));
  }

  /** The names of one sample, which may be stopped; `state` is what is remembered between two. */
  const take = async (size: SampleSize, state: { after?: string }, stopAfter = 99): Promise<string> => {
    const names: string[] = [];
    const onPassed = (key: string): Promise<void> => {
      state.after = key;
      return Promise.resolve();
    };
    for await (const { object } of sampleEntries(store, { size, after: state.after, onPassed })) {
      names.push(present(object).key[0]!);
      if (names.length >= stopAfter) break;
    }
    return names.join('');
  };

  it('continues after the last one, starts again at the end, and never takes one twice', async () => {
    const state = {};
    const taken: string[] = [];
    for (let day = 0; day < 5; day++) taken.push(await take({ objects: 2 }, state));
    assert.deepEqual(taken, ['ab', 'cd', 'ea', 'bc', 'de']);
    assert.equal(await take({ objects: 99 }, {}), 'abcde');
    assert.equal(await take({ share: 0.4 }, { after: 'd.mcap' }), 'ea');
    assert.equal(await take({ share: 1 }, { after: 'c.mcap' }), 'deabc');
  });

  it('repeats after an interruption only the object it was reading', async () => {
    const state = {};
    assert.equal(await take({ objects: 4 }, state, 2), 'ab');
    assert.equal(await take({ objects: 4 }, state), 'bcde');
  });

  it('is given as a number or a share', () => {
    assert.deepEqual(parseSampleSize('100'), { objects: 100 });
    assert.deepEqual(parseSampleSize('2.5%'), { share: 0.025 });
    for (const text of ['', '0', '0%', '101%', '1.5', '-1', 'all'])
      assert.equal(parseSampleSize(text), undefined);
  });
});
