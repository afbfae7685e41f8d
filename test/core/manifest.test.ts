import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isHoldfastError } from '../../src/core/errors.js';
import { gapFromJson, gapReasons, gapToJson, type Gap } from '../../src/core/gap.js';
import {
  decodeManifest,
  encodeManifest,
  gapsForManifest,
  manifestGaps,
  manifestKey,
  type Manifest,
} from '../../src/core/manifest.js';
import { isSegmentId, newSegmentId, segmentNumber } from '../../src/core/segment-id.js';

/** A manifest one may spoil. */
interface Loose {
  [field: string]: unknown;
  segment: Record<string, unknown>;
  file: Record<string, unknown>;
}

const example: Manifest = {
  format: 'holdfast-manifest',
  version: 1,
  segment: { id: `000000000001-${'ab'.repeat(16)}`, number: 1 },
  robot: 'crab',
  file: { name: 'x.crab.mcap', bytes: 10, sha256: '0'.repeat(64), crc32: 0xffffffff, compression: 'zstd' },
  key: 'robot=crab/date=2026-01-01/hour=00/x.mcap',
  messages: 1,
  payloadBytes: 3,
  firstLogTime: '1700000000000000000',
  lastLogTime: '1700000000000000000',
  firstSequence: 1,
  lastSequence: 1,
  channels: [],
  gaps: [],
  identity: { dataFolderId: '', machineId: '', bootId: '', sessionId: '', hostname: '' },
  clockSteps: [],
  uncleanEnd: false,
  sealedAt: '1700000000000000000',
  software: { name: 'holdfast', version: '0', node: 'v20' },
};

const time = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const anyGap: fc.Arbitrary<Gap> = fc.record(
  {
    id: fc.string(),
    reason: fc.constantFrom(...gapReasons),
    robot: fc.string({ unit: 'grapheme' }),
    topic: fc.string(),
    count: number,
    bytes: number,
    firstTime: time,
    lastTime: time,
    firstSourceSequence: number,
    lastSourceSequence: number,
    settledThrough: number,
    detail: fc.string(),
  },
  { requiredKeys: ['id', 'reason', 'robot'], noNullPrototype: true },
);

describe('Manifest', () => {
  it('reads back a written manifest, including the nanoseconds of gaps', () => {
    fc.assert(
      fc.property(fc.array(anyGap, { maxLength: 5 }), fc.string({ unit: 'grapheme' }), (gaps, robot) => {
        const manifest = { ...example, robot, gaps: gapsForManifest(gaps) };
        const read = decodeManifest(encodeManifest(manifest), 'a manifest');
        assert.deepEqual(read, manifest);
        assert.deepEqual(manifestGaps(read), gaps);
      }),
    );
  });

  it('names the wrong field, its value and the allowed values', () => {
    const cases: [string, (manifest: Loose) => void][] = [
      ['format', (m) => (m['format'] = 'other')],
      ['version', (m) => (m['version'] = 4)],
      ['segment.id', (m) => delete m['segment'].id],
      ['file.name', (m) => (m['file'].name = '../x.mcap')],
      ['file.sha256', (m) => (m['file'].sha256 = 'XYZ')],
      ['file.sha256', (m) => delete m['file'].sha256],
      ['file.crc32', (m) => (m['file'].crc32 = 2 ** 32)],
      ['file.bytes', (m) => (m['file'].bytes = -1)],
      ['file.compression', (m) => (m['file'].compression = 'rar')],
      ['key', (m) => (m['key'] = 'robot=a/../../x')],
      ['messages', (m) => (m['messages'] = '1')],
      ['gaps', (m) => (m['gaps'] = {})],
      ['identity', (m) => (m['identity'] = null)],
      ['uncleanEnd', (m) => delete m['uncleanEnd']],
    ];
    for (const [path, spoil] of cases) {
      const manifest = JSON.parse(encodeManifest(example)) as Loose;
      spoil(manifest);
      assert.throws(
        () => decodeManifest(JSON.stringify(manifest), 'the name'),
        (error) =>
          isHoldfastError(error, 'MANIFEST_INVALID') &&
          error.message.startsWith(`manifest the name: ${path} is `) &&
          error.message.includes('allowed: '),
        path,
      );
    }
  });

  it('refuses anything that is not a manifest with one error', () => {
    for (const text of ['', 'null', '[]', '{', '5', '"holdfast-manifest"', '\0\0\0']) {
      assert.throws(
        () => decodeManifest(text, 'x'),
        (error) => isHoldfastError(error, 'MANIFEST_INVALID'),
        text,
      );
    }
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.throws(
          () => decodeManifest(text, 'x'),
          (error) => isHoldfastError(error, 'MANIFEST_INVALID'),
        );
      }),
    );
  });

  it('is beside its segment', () => {
    assert.equal(manifestKey('robot=a.mcap/b.mcap'), 'robot=a.mcap/b.json');
  });
});

describe('Gap', () => {
  it('goes through JSON without losing a nanosecond', () => {
    fc.assert(
      fc.property(anyGap, (gap) => {
        assert.deepEqual(gapFromJson(JSON.parse(JSON.stringify(gapToJson(gap))) as never), gap);
      }),
    );
  });
});

describe('Segment id', () => {
  it('sorts by age and has its number', () => {
    const ids = [1, 2, 10, 999_999_999_999].map((n) =>
      newSegmentId(n, (size) => new Uint8Array(size).fill(255 - n)),
    );
    assert.deepEqual([...ids].sort(), ids);
    assert.deepEqual(ids.map(segmentNumber), [1, 2, 10, 999_999_999_999]);
    assert.ok(ids.every(isSegmentId));
  });

  it('refuses a document that is not a manifest', () => {
    for (const text of ['', '1', `000000000001-${'A'.repeat(32)}`, `../00000000001-${'a'.repeat(32)}`]) {
      assert.throws(
        () => segmentNumber(text),
        (error) => isHoldfastError(error, 'SEGMENT_ID_INVALID'),
      );
    }
  });
});
