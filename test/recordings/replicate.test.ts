import assert from 'node:assert/strict';
import { encodeManifest, manifestKey } from '../../src/core/manifest.js';
import type { ErrorCode } from '../../src/core/error-catalogue.js';
import { HoldfastError } from '../../src/core/errors.js';
import {
  replicateStore,
  type Finding,
  type ReplicateOptions,
  type ReplicateReport,
} from '../../src/recordings/replicate/replicate-store.js';
import { bytesOf, seededBytes } from '../../src/testing/seeded-bytes.js';
import { assertCode, digestOf } from '../../src/testing/store-contract.js';
import { MemoryStore, type StoreCall } from '../support/memory-store.js';
import { syntheticManifest } from '../support/synthetic-manifest.js';

const PART_BYTES = 8 * 1024 * 1024;

describe('replicating a store', () => {
  let source: MemoryStore;
  let target: MemoryStore;
  let findings: Finding[];
  beforeEach(() => {
    source = new MemoryStore({ uri: 'memory:source' });
    target = new MemoryStore({ uri: 'memory:target' });
    source.content.id = '1'.repeat(32);
  });

  function replicate(options: Partial<ReplicateOptions> = {}): Promise<ReplicateReport> {
    findings = [];
    const all = { mend: true, overwrite: false, deep: false, prefix: '', ...options };
    const onFinding = (finding: Finding): void => void findings.push(finding);
    return replicateStore(source, target, all, { random: seededBytes(), onFinding });
  }

  /** A segment of one robot with its manifest; returns its key. */
  function addSegment(number: number, content: Buffer = bytesOf(100, number)): string {
    const manifest = syntheticManifest(number);
    const { key } = manifest;
    const { bytes, sha256, crc32 } = digestOf(content);
    const file = { ...manifest.file, bytes, crc32, ...(sha256 !== undefined && { sha256 }) };
    source.content.objects.set(key, content);
    source.content.objects.set(manifestKey(key), Buffer.from(encodeManifest({ ...manifest, file })));
    return key;
  }

  const told = (): string[] => findings.map(({ kind, key }) => `${kind} ${key}`);

  it('only compares without --mend', async () => {
    const key = addSegment(1);
    target.content.objects.set('z/extra.bin', bytesOf(3));
    const report = await replicate({ mend: false });
    assert.deepEqual([report.missing, report.extra, report.copied], [2, 1, 0]);
    assert.deepEqual(told(), [`missing ${key}`, 'extra z/extra.bin', `missing ${manifestKey(key)}`]);
    assert.deepEqual([...target.content.objects.keys()], ['z/extra.bin']);
    assert.equal(target.content.id, undefined);
  });

  it('copies segments before their manifests, verifies each copy, and finds nothing to do then', async () => {
    const keys = [addSegment(1), addSegment(2)];
    source.content.objects.set('notes.txt', bytesOf(7));
    const report = await replicate();
    assert.deepEqual([report.copied, report.failed, told()], [5, 0, []]);
    const puts = target.calls.filter(({ method }) => method === 'put').map(({ key }) => key);
    assert.deepEqual(
      puts,
      ['notes.txt', ...keys, ...keys.map(manifestKey)].sort((a, b) => order(a) - order(b)),
    );
    assert.equal(target.calls.filter(({ method }) => method === 'verify').length, 5);
    assert.deepEqual(target.content.objects, source.content.objects);
    assert.match(String(target.content.id), /^[0-9a-f]{32}$/);
    assert.notEqual(target.content.id, source.content.id);
    const again = await replicate({ deep: true });
    assert.deepEqual([again.equal, again.copied, told()], [5, 0, []]);

    function order(key: string): number {
      return key.endsWith('.json') ? 1 : 0;
    }
  });

  it('names conflicts and replaces them only with --overwrite', async () => {
    const key = addSegment(1);
    await replicate();
    target.content.objects.set(key, bytesOf(99));
    assert.equal((await replicate()).conflicts, 1);
    assert.equal(target.content.objects.get(key)?.length, 99);
    assert.match(String(findings[0]?.reason), /99 bytes instead of 100/);
    const report = await replicate({ overwrite: true });
    assert.deepEqual([report.copied, report.conflicts], [1, 0]);
    assert.deepEqual(target.content.objects, source.content.objects);
  });

  it('finds other bytes of the same size when it compares contents', async () => {
    const key = addSegment(1);
    await replicate();
    target.content.objects.set(key, bytesOf(100, 77));
    assert.equal((await replicate({ mend: false })).conflicts, 0);
    assert.equal((await replicate({ mend: false, deep: true })).conflicts, 1);
    assert.deepEqual(told(), [`conflict ${key}`]);
  });

  it('copies neither a segment that is not what its manifest describes, nor the manifest', async () => {
    const [bad, good] = [addSegment(1), addSegment(2)];
    source.content.objects.set(bad, bytesOf(100, 50));
    const report = await replicate();
    assert.deepEqual([report.copied, report.failed, report.missing], [2, 1, 1]);
    assert.deepEqual(told().sort(), [`failed ${bad}`, `missing ${manifestKey(bad)}`].sort());
    assert.deepEqual([...target.content.objects.keys()].sort(), [good, manifestKey(good)].sort());
  });

  it('carries tombstones, which have no segment', async () => {
    const { key, ...manifest } = syntheticManifest(1);
    const evicted = { at: '1', reason: 'full' };
    const text = encodeManifest({ ...manifest, key, evicted });
    source.content.objects.set(manifestKey(key), Buffer.from(text));
    assert.equal((await replicate()).copied, 1);
  });

  it('continues after an interruption at any call, and sends no part twice', async () => {
    addSegment(1, bytesOf(2 * PART_BYTES + 5));
    addSegment(2);
    let runs = 0;
    for (let at = 1; ; at++, runs++) {
      const reached = target.calls.length + at;
      target.faults = ({ index }: StoreCall, phase) => {
        if (phase === 'after' && index === reached) throw new HoldfastError('STORE_OFFLINE', 'gone');
      };
      const report = await replicate().catch((error: unknown) => assertOffline(error));
      if (report) break;
      for (const key of target.content.objects.keys()) {
        const isManifest = key.endsWith('.json');
        if (isManifest) assert.ok(target.content.objects.has(key.replace('.json', '.mcap')), key);
      }
    }
    assert.ok(runs > 5, `${runs} interruptions`);
    assert.deepEqual(target.content.objects, source.content.objects);
    const parts = target.calls
      .filter(({ method }) => method === 'uploadPart')
      .map(({ partNumber }) => partNumber);
    assert.deepEqual(parts, [1, 2, 3]);

    function assertOffline(error: unknown): undefined {
      assert.equal((error as { code?: ErrorCode }).code, 'STORE_OFFLINE');
    }
  });

  it('refuses two names of one store', async () => {
    target.content.id = source.content.id;
    await assertCode(replicate(), 'STORE_COPIED');
  });

  it('refuses a store that does not list in order, because it would miss objects', async () => {
    addSegment(1);
    addSegment(2);
    source.list = async function* (): AsyncGenerator<{ key: string; bytes: number }> {
      await Promise.resolve();
      yield { key: 'b', bytes: 1 };
      yield { key: 'a', bytes: 1 };
    };
    await assertCode(replicate({ mend: false }), 'STORE_REJECTED');
  });
});
