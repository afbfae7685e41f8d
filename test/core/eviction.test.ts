import assert from 'node:assert/strict';
import { decideEviction, type EvictionFacts } from '../../src/core/eviction.js';
import { manifestKey, type Manifest } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import type { StoreAnswer, StoreReceipt } from '../../src/core/receipt-file.js';
import type { RequiredSink } from '../../src/core/sink.js';
import { manifestOf } from '../seal/retention-support.js';

const manifest = manifestOf(1);
const { key } = manifest;
const file = { ...manifest.file, sha256: present(manifest.file.sha256) };
/** The same segment, finished in its place: its own manifest has no SHA-256. */
const { sha256: _none, ...unread } = file;
const undigested: Manifest = { ...manifest, version: 2, file: unread };
const NOW = 1_000_000n;

const answerOf = (more: Partial<StoreAnswer> = {}): StoreAnswer => ({
  answer: 'held',
  askedAt: String(NOW - 10n),
  storeId: 'A',
  request: 'n',
  object: { key, bytes: file.bytes, sha256: file.sha256, crc32: file.crc32 },
  manifest: { key: manifestKey(key), bytes: 9, sha256: 'm', crc32: 1 },
  ...more,
});
const receiptOf = (more: Partial<StoreReceipt> = {}): StoreReceipt => ({
  storeId: 'A',
  uri: 'dir:/a',
  key,
  sha256: file.sha256,
  verification: 'read-back',
  verifiedAt: '1',
  asked: answerOf(),
  ...more,
});
const sinkOf = (more: Partial<RequiredSink> = {}): RequiredSink => ({
  uri: 'dir:/a',
  storeId: 'A',
  form: '',
  selection: {},
  ...more,
});
const factsOf = (stores: StoreReceipt[], more: Partial<EvictionFacts> = {}): EvictionFacts => ({
  manifest,
  receipts: { version: 1, segment: manifest.segment.id, robot: manifest.robot, stores },
  required: [sinkOf()],
  knownStores: new Map([['dir:/a', 'A']]),
  now: NOW,
  maxAgeNs: 100n,
  request: { nonce: 'n', isWaiting: true },
  mayDrop: false,
  ...more,
});
const { asked: _asked, ...neverAsked } = receiptOf();
const { storeId: _id, ...unknownSink } = sinkOf();
const twin = sinkOf({ uri: 'dir:/b' });
const second = sinkOf({ uri: 'dir:/b', storeId: 'B' });
const lake = sinkOf({ uri: 'dir:/l', storeId: 'L', form: 'parquet-1' });
const lakeReceipt = receiptOf({
  uri: 'dir:/l',
  storeId: 'L',
  form: 'parquet-1',
  key: 'marker',
  asked: answerOf({ storeId: 'L', manifest: { key: 'marker', bytes: 1, sha256: '', crc32: 0 } }),
});

type Row = readonly [claim: string, facts: EvictionFacts, waiting: string, silent: string, policy: string];

/** What is decided while an answer may still come; when none comes; and when the policy gives up data as well. */
const table: readonly Row[] = [
  ['every sink answered this request', factsOf([receiptOf()]), 'evict', 'evict', 'evict'],
  ['no receipt', factsOf([]), 'keep', 'keep', 'drop'],
  ['no receipt file', factsOf([], { receipts: undefined }), 'keep', 'keep', 'drop'],
  ['a receipt of other bytes', factsOf([receiptOf({ sha256: 'x' })]), 'keep', 'keep', 'drop'],
  ['a receipt of before answers were kept', factsOf([neverAsked]), 'ask', 'keep', 'drop'],
  [
    'an answer to an earlier request, young enough',
    factsOf([receiptOf({ asked: answerOf({ request: 'older' }) })]),
    'ask',
    'evict',
    'evict',
  ],
  [
    'an answer that is too old',
    factsOf([receiptOf({ asked: answerOf({ askedAt: String(NOW - 101n) }) })]),
    'ask',
    'keep',
    'drop',
  ],
  [
    'an answer from the future',
    factsOf([receiptOf({ asked: answerOf({ askedAt: String(NOW + 1n) }) })]),
    'ask',
    'keep',
    'drop',
  ],
  ['an invalid time', factsOf([receiptOf({ asked: answerOf({ askedAt: '-' }) })]), 'ask', 'keep', 'drop'],
  [
    'the store lost it',
    factsOf([receiptOf({ asked: answerOf({ answer: 'missing' }) })]),
    'keep',
    'keep',
    'drop',
  ],
  [
    'the store has other bytes',
    factsOf([receiptOf({ asked: answerOf({ answer: 'differs' }) })]),
    'keep',
    'keep',
    'drop',
  ],
  [
    'the answer of another store',
    factsOf([receiptOf({ asked: answerOf({ storeId: 'Z' }) })]),
    'ask',
    'keep',
    'drop',
  ],
  [
    'an answer about another size',
    factsOf([receiptOf({ asked: answerOf({ object: { key, bytes: 1, sha256: file.sha256, crc32: 0 } }) })]),
    'ask',
    'keep',
    'drop',
  ],
  [
    'a segment without a SHA-256 of its own, known by its CRC-32',
    factsOf([receiptOf({ crc32: file.crc32 })], { manifest: undigested }),
    'evict',
    'evict',
    'evict',
  ],
  [
    'a segment without a SHA-256, and a receipt of another CRC-32',
    factsOf([receiptOf({ crc32: file.crc32 + 1 })], { manifest: undigested }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'a segment without a SHA-256, and a receipt without a CRC-32',
    factsOf([receiptOf()], { manifest: undigested }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'an answer about another CRC-32',
    factsOf([
      receiptOf({ asked: answerOf({ object: { key, bytes: file.bytes, sha256: file.sha256, crc32: 0 } }) }),
    ]),
    'ask',
    'keep',
    'drop',
  ],
  [
    'an answer about another key',
    factsOf([receiptOf({ asked: answerOf({ manifest: { key: 'k', bytes: 1, sha256: '', crc32: 0 } }) })]),
    'ask',
    'keep',
    'drop',
  ],
  [
    'the same URI has another store now',
    factsOf([receiptOf()], { required: [sinkOf({ storeId: 'B' })], knownStores: new Map([['dir:/a', 'B']]) }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'the store of the sink is not known',
    factsOf([receiptOf()], { required: [unknownSink] }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'the list of sinks cannot be read',
    factsOf([receiptOf()], { required: 'unknown' }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'nobody said which sinks count',
    factsOf([receiptOf()], { required: undefined }),
    'evict',
    'evict',
    'evict',
  ],
  [
    'nobody said, and the store is not in use any more',
    factsOf([receiptOf()], { required: undefined, knownStores: new Map() }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'one of two sinks has no receipt',
    factsOf([receiptOf()], { required: [sinkOf(), second] }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'a store and its copy: one receipt for two sinks',
    factsOf([receiptOf()], { required: [sinkOf(), twin] }),
    'keep',
    'keep',
    'drop',
  ],
  [
    'one of two sinks did not answer',
    factsOf([receiptOf(), { ...neverAsked, uri: 'dir:/b', storeId: 'B' }], { required: [sinkOf(), second] }),
    'ask',
    'keep',
    'drop',
  ],
  ['a store spelled in another way', factsOf([receiptOf({ uri: 'dir:/other' })]), 'evict', 'evict', 'evict'],
  [
    'a sink that takes other robots',
    factsOf([receiptOf()], { required: [sinkOf(), { ...second, selection: { robots: ['none'] } }] }),
    'evict',
    'evict',
    'evict',
  ],
  [
    'a lake and a whole copy',
    factsOf([receiptOf(), lakeReceipt], { required: [sinkOf(), lake] }),
    'evict',
    'evict',
    'evict',
  ],
  ['only a part of it is in a store', factsOf([receiptOf({ partial: true })]), 'keep', 'keep', 'drop'],
];

describe('the decision about a local copy', () => {
  for (const [claim, facts, waiting, silent, policy] of table) {
    it(`${claim}: ${waiting}, without an answer ${silent}, under a policy ${policy}`, () => {
      assert.equal(decideEviction(facts).kind, waiting);
      assert.equal(decideEviction({ ...facts, mayDrop: true }).kind, waiting === 'keep' ? 'drop' : waiting);
      const noAnswer = { ...facts, request: { nonce: 'n', isWaiting: false } };
      assert.equal(decideEviction(noAnswer).kind, silent);
      assert.equal(decideEviction({ ...noAnswer, mayDrop: true }).kind, policy);
    });
  }

  it('asks first for any record', () => {
    for (const request of ['n', undefined]) {
      const receipt = receiptOf({ asked: answerOf({ request }) });
      assert.equal(decideEviction(factsOf([receipt], { request: undefined })).kind, 'ask');
      assert.equal(decideEviction(factsOf([receipt], { request: undefined, mayDrop: true })).kind, 'ask');
    }
  });
});
