import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import type { DocumentKind } from '../../src/core/documents/document.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { decodeEvent, encodeEvent } from '../../src/core/event-files.js';
import { gapDocuments } from '../../src/core/gap.js';
import { knownStoreFiles } from '../../src/core/known-stores.js';
import { lostFiles } from '../../src/core/lost-segments.js';
import { decodeLakeChange, decodeLakeSegment } from '../../src/core/lake-manifest.js';
import { decodeManifest } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { receiptFiles } from '../../src/core/receipt-file.js';
import { sinkFiles } from '../../src/core/sink.js';
import { packageRoot } from '../../src/host/version.js';
import { evictedFiles } from '../../src/seal/retention-records.js';
import { unsealedFiles } from '../../src/seal/set-aside.js';
import { progressRecords } from '../../src/sync/progress-record.js';
import { exportManifests } from '../../src/jobs/export/export-manifest.js';
import { plans, steps } from '../../src/jobs/export/step-record.js';
import { syntheticManifest } from '../support/synthetic-manifest.js';

const gap = { id: 'g', reason: 'paused', robot: 'r', count: 1, firstTime: '1', lastTime: '2' };
const hash = '0'.repeat(64);
const lakeFile = { key: 'a.parquet', bytes: 1, sha256: hash, crc32: 1, rows: 1, table: 'topics' };
const file = { path: 'a.parquet', bytes: 1, sha256: hash, rows: 1 };

/** Each kind: how it is read, and one that is right but for its checksum, which is made again for every change. */
const kinds: readonly (readonly [
  name: string,
  read: (text: string) => unknown,
  example: object,
  crc?: string,
])[] = [
  [
    'manifest',
    (text) => decodeManifest(text, 'x'),
    { ...syntheticManifest(1), gaps: [gap] },
    'manifestCrc32',
  ],
  [
    'marker of a lake',
    (text) => decodeLakeSegment(text, 'x'),
    {
      ...{
        format: 'holdfast-lake-segment',
        version: 1,
        form: 'f',
        segment: { id: 'i', number: 1 },
        robot: 'r',
      },
      ...{ source: { name: 'n', key: 'k', bytes: 1, sha256: hash }, rows: 1, undecoded: 0 },
      ...{ files: [lakeFile], gaps: [gap] },
    },
    'crc32',
  ],
  [
    'change of a lake',
    (text) => decodeLakeChange(text, 'x'),
    {
      ...{ format: 'holdfast-lake-change', version: 1, form: 'f', number: 1, at: '1' },
      ...{ replaces: ['a'], adds: [lakeFile], duplicates: 0, abandons: ['b'] },
    },
    'crc32',
  ],
  ['gap', of(gapDocuments), gap],
  [
    'receipt',
    of(receiptFiles),
    {
      ...{ version: 1, segment: 's', robot: 'r' },
      stores: [
        { storeId: 's', uri: 'u', key: 'k', sha256: hash, verification: 'read-back', verifiedAt: '1' },
      ],
    },
  ],
  [
    'list of stores',
    of(knownStoreFiles),
    { version: 1, stores: [{ uri: 'u', storeId: 's', marks: { m: '' } }] },
  ],
  ['upload record of a call', of(progressRecords), { state: 'sending', suffix: 0 }],
  [
    'upload record of parts',
    of(progressRecords),
    { state: 'uploading', suffix: 0, uri: 'u', key: 'k', uploadId: 'i', partBytes: 1, started: 0 },
  ],
  [
    'upload record of what is verified',
    of(progressRecords),
    { state: 'verified', key: 'k', bytes: 1, sha256: hash, verification: 'read-back', verifiedAt: '1' },
  ],
  [
    'upload record of what is parked',
    of(progressRecords),
    { state: 'parked', robot: 'r', bytes: 1, code: 'c', message: 'm' },
  ],
  [
    'list of unsealed segments',
    of(unsealedFiles),
    { version: 1, segments: [{ id: `${'0'.repeat(12)}-${'a'.repeat(32)}`, at: '1', error: 'e' }] },
  ],
  [
    'list of lost segments',
    of(lostFiles),
    {
      version: 1,
      segments: [{ name: 'n', form: '', uri: 'u', storeId: 's', key: 'k', at: '1', message: 'm' }],
    },
  ],
  ['sinks', of(sinkFiles), { version: 1, required: [{ uri: 'u', form: '', selection: { robots: ['r'] } }] }],
  [
    'totals of evictions',
    of(evictedFiles),
    { version: 1, robots: { r: { segments: 1, messages: 1, bytes: 1 } }, counted: ['a'] },
  ],
  [
    'manifest of an export',
    of(exportManifests),
    {
      ...{ format_version: 1, export_id: 'e', format: 'parquet', num_records: 1, undecoded: 0, sources: [] },
      topics: [{ robot: 'r', topic: 't', message_type: 'm', sample_count: 1, schema: [], files: ['a'] }],
      ...{ files: [file], gaps: [gap], problems: [], fingerprint: {}, planned: ['p'] },
    },
  ],
  ['plan of an export', of(plans), { export_id: 'e', started_utc: 's', segments: ['s'], fingerprint: {} }],
  [
    'step of an export',
    of(steps),
    { group: 'g', files: [file], tallies: [{ robot: 'r', topic: 't' }], latched: {}, problems: [] },
  ],
];

function of(kind: DocumentKind<unknown>): (text: string) => unknown {
  return (text) => kind.parse(text, 'x');
}

const strange: readonly unknown[] = [
  null,
  5,
  -1,
  1.5,
  'text',
  '',
  true,
  [],
  {},
  [null],
  [[]],
  { a: 1 },
  '../../x',
  1e20,
];

/** Every document that has one member, however deep, exchanged for something else, or none. */
function* spoiled(value: unknown): Generator<unknown, void, void> {
  yield* strange;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    const replaced = (other: unknown): unknown =>
      Array.isArray(value)
        ? value.map((one: unknown, i) => (String(i) === name ? other : one))
        : { ...value, [name]: other };
    for (const other of spoiled(member)) yield replaced(other);
    if (!Array.isArray(value)) {
      const { [name]: _gone, ...rest } = value as Record<string, unknown>;
      yield rest;
    }
  }
}

describe('a document from a disk or a store', () => {
  for (const [name, read, example, crcName] of kinds) {
    const textOf = (value: unknown): string => {
      if (crcName === undefined || typeof value !== 'object' || value === null) return JSON.stringify(value);
      return JSON.stringify({ ...value, [crcName]: crc32(JSON.stringify(value)) });
    };

    it(`is read as ${name}, or is refused with one error, for any wrong member`, () => {
      read(textOf(example));
      let refused = 0;
      for (const value of spoiled(example)) {
        const text = textOf(value);
        try {
          read(text);
        } catch (error) {
          assert.ok(isHoldfastError(error, 'MANIFEST_INVALID'), `${text}: ${String(error)}`);
          refused++;
        }
      }
      assert.ok(refused > 20, `${refused} refused`);
    });

    it(`is refused as ${name} if it is any other JSON or none`, () => {
      const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
      const wrong = [deep, `{"a":${deep}}`, '', '\0', '{', '[]', 'null', '"x"'];
      for (const text of wrong)
        assert.throws(
          () => read(text),
          (error) => isHoldfastError(error, 'MANIFEST_INVALID'),
        );
      fc.assert(
        fc.property(fc.json(), (text) => {
          assert.throws(
            () => read(text),
            (error) => isHoldfastError(error, 'MANIFEST_INVALID'),
          );
        }),
      );
    });
  }

  it('is no marked event if any member is wrong', () => {
    const id = 'a'.repeat(32);
    const event = { id, label: 'l', at: '1', from: '1', to: '2' };
    assert.deepEqual(decodeEvent(encodeEvent(event), id), event);
    for (const value of spoiled({ version: 1, ...event })) {
      const read = decodeEvent(JSON.stringify({ crc32: crc32(JSON.stringify(value)), event: value }), id);
      if (read !== undefined)
        assert.deepEqual(
          Object.values(read).map((one) => typeof one),
          Array(5).fill('string'),
        );
    }
  });

  it('never leads out of an export', () => {
    const example = present(kinds.find(([name]) => name === 'manifest of an export'))[2] as {
      topics: object[];
    };
    for (const path of ['../x', '/etc/passwd', 'a/../../x', '..']) {
      const topics = [{ ...example.topics[0], files: [path] }];
      assert.equal(exportManifests.parseIfValid(JSON.stringify({ ...example, topics })), undefined, path);
    }
  });

  it('becomes typed in one place', () => {
    // Messages between processes and people, settings of the program, and payloads of recordings are no documents.
    const others =
      /^(app\/(control|supervise|demo)|sources|monitors|exporters|host\/version|jobs\/(query\/query-session|check\/topic-lens|transform\/json-)|recordings\/message-decoder|ground\/(catalogue\/search-recordings|sql\/read-only-sql|fetch\/fetch-book)|core\/(documents|json-message))/;
    const source = join(packageRoot, 'src');
    const wrong = readdirSync(source, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(source, join(entry.parentPath, entry.name)))
      .filter((path) => !others.test(path))
      .filter((path) => readFileSync(join(source, path), 'utf8').includes('JSON.parse('));
    assert.deepEqual(wrong, []);
  });
});
