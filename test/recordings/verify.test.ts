import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { present } from '../../src/core/present.js';
import { receiptText } from './receipt-text.js';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilePool } from '../../src/recordings/file-readable.js';
import type { Finding } from '../../src/recordings/findings.js';
import { verify, type VerifyProgress, type VerifyReport } from '../../src/recordings/verify.js';
import type { DataFolder } from '../../src/core/data-folder.js';
import { encodeManifest, type Manifest } from '../../src/core/manifest.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { recording } from '../support/recordings.js';
import { storePorts } from '../support/store-ports.js';
import { CHAT_MESSAGES, sealedFolder, segmentIdOf, uploadAll } from './sealed-fixture.js';
import { sealChangingDefinition } from './changing-definition.js';
import { insideFirstChunk } from '../support/inside-chunk.js';

describe('verify', () => {
  let root: string;
  let folder: DataFolder;
  let files: FilePool;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-verify-'));
    folder = await sealedFolder(join(root, 'data'));
    files = new FilePool(fs);
  });
  afterEach(async () => {
    await files[Symbol.asyncDispose]();
    await fs.rm(root, { recursive: true, force: true });
  });

  const run = (): Promise<VerifyReport> => verify({ kind: 'data', folder }, { files });
  const sealed = (name: string): string => join(folder.sealed, name);
  const mcap = sealedName(1, 'r1');
  function sealedName(number: number, robot: string): string {
    return `${segmentIdOf(number)}.${robot}.mcap`;
  }
  const whats = (report: VerifyReport): string[] => report.findings.map(({ what }) => what);
  const edit = async (name: string, change: (manifest: Manifest) => unknown): Promise<void> => {
    const path = sealed(name.replace(/\.mcap$/, '.json'));
    const manifest = JSON.parse(await fs.readFile(path, 'utf8')) as Manifest;
    await fs.writeFile(path, encodeManifest({ ...manifest, ...(change(manifest) as object) }));
  };

  it('finds nothing wrong with the output of the sealer', async () => {
    const progress: VerifyProgress[] = [];
    const report = await verify({ kind: 'data', folder }, { files, onProgress: (at) => progress.push(at) });
    assert.deepEqual(report.findings, []);
    assert.ok(report.ok);
    assert.deepEqual(
      { ...report.totals, bytes: 0 },
      {
        objects: 4,
        bytes: 0,
        messages: 4 * CHAT_MESSAGES + 2,
        carried: 2,
        gaps: 4,
        tombstones: 0,
        unopened: 0,
        errors: 0,
        warnings: 0,
      },
    );
    assert.equal(progress.length, 4);
    assert.equal(progress[0]?.objectsTotal, 4);
  });

  it('accepts a topic whose definition changes within a segment', async () => {
    const changed = await sealChangingDefinition(join(root, 'changing'));
    const report = await verify({ kind: 'data', folder: changed }, { files });
    assert.deepEqual(report.findings, []);
    assert.equal(report.totals.messages, 4);
  });

  it('notices segments that are gone without a trace: the first, and one in the middle', async () => {
    const longer = await sealedFolder(join(root, 'longer'), 4);
    const remove = async (number: number): Promise<void> => {
      for (const robot of ['r1', 'r2']) {
        for (const extension of ['mcap', 'json']) {
          await fs.rm(join(longer.sealed, `${segmentIdOf(number)}.${robot}.${extension}`));
        }
      }
    };
    const missing = async (): Promise<string[]> => {
      const { findings } = await verify({ kind: 'data', folder: longer }, { files });
      return findings.map(({ severity, actual }) => `${severity} ${actual}`);
    };
    await remove(1);
    assert.deepEqual(await missing(), ['error none: sequences 1 to 200 are in no segment']);
    await remove(3);
    assert.deepEqual(await missing(), [
      'error none: sequences 1 to 200 are in no segment',
      'error none: sequences 401 to 600 are in no segment',
    ]);
    // A receipt of a segment that is not here any more: it was evicted after a store had it.
    const receipt = { version: 1, segment: segmentIdOf(1), robot: 'r1', stores: [] };
    await fs.writeFile(join(longer.receipts, `${segmentIdOf(1)}.r1.json`), JSON.stringify(receipt));
    assert.deepEqual(await missing(), ['error none: sequences 401 to 600 are in no segment']);
  });

  it('finds a flipped, a missing and an added byte anywhere in a segment', async () => {
    const good = await fs.readFile(sealed(mcap));
    for (let at = 0; at < good.byteLength; at += 97) {
      const flipped = Buffer.from(good);
      flipped[at]! ^= 0x10;
      const missing = Buffer.concat([good.subarray(0, at), good.subarray(at + 1)]);
      const added = Buffer.concat([good.subarray(0, at), Buffer.of(7), good.subarray(at)]);
      for (const bad of [flipped, missing, added]) {
        await fs.writeFile(sealed(mcap), bad);
        const report = await run();
        assert.ok(!report.ok, `byte ${at}`);
        assert.ok(report.findings.every(({ where }) => where === sealed(mcap)));
      }
    }
  });

  it('says which chunk is damaged, and that the rest is not', async () => {
    const bytes = await fs.readFile(sealed(mcap));
    bytes[await insideFirstChunk(bytes)]! ^= 0xff;
    await fs.writeFile(sealed(mcap), bytes);
    const { findings } = await run();
    assert.ok(findings.some(({ what }) => /^bytes \d+ to \d+$/.test(what)));
    assert.ok(findings.some(({ what }) => what === 'sha256'));
    assert.ok(findings.some(({ what }) => what === 'messages of /r1/chat'));
    assert.ok(!findings.some(({ where }) => where !== sealed(mcap)));
  });

  const untruths: readonly (readonly [
    what: string,
    change: (manifest: Manifest) => unknown,
    finding: string,
  ])[] = [
    ['messages', ({ messages }) => ({ messages: messages + 1 }), 'messages'],
    ['payload bytes', () => ({ payloadBytes: 1 }), 'payload bytes'],
    ['SHA-256', ({ file }) => ({ file: { ...file, sha256: '0'.repeat(64) } }), 'sha256'],
    ['CRC-32', ({ file }) => ({ file: { ...file, crc32: 1 } }), 'crc32'],
    ['size', ({ file }) => ({ file: { ...file, bytes: 1 } }), 'size'],
    ['file name', ({ file }) => ({ file: { ...file, name: 'x.mcap' } }), 'file name'],
    ['time range', () => ({ lastLogTime: '5' }), 'last log time'],
    ['gaps', () => ({ gaps: [] }), 'gap gap-1-r1'],
    ['robot', () => ({ robot: 'r9' }), 'robot in the MCAP'],
    ['WAL sequences', () => ({ lastSequence: 20 }), 'WAL sequences'],
    ['sequence order', () => ({ lastSequence: 999_999 }), 'first WAL sequence'],
    [
      'a channel count',
      ({ channels }) => ({ channels: channels.map((one) => ({ ...one, count: one.count + 1 })) }),
      'messages of /r1/chat',
    ],
    ['a channel', ({ channels }) => ({ channels: channels.slice(1) }), 'messages of /r1/tf_static'],
    [
      'the carried mark',
      ({ channels }) => ({ channels: channels.map((one) => ({ ...one, carried: one.carried + 1 })) }),
      'carried messages of /r1/chat',
    ],
  ];
  for (const [what, change, finding] of untruths) {
    it(`finds a manifest that lies about its ${what}`, async () => {
      await edit(mcap, change);
      const report = await run();
      assert.ok(!report.ok);
      assert.ok(whats(report).includes(finding), JSON.stringify(report.findings));
    });
  }

  it('finds missing files, leftovers and invalid manifests', async () => {
    await fs.rm(sealed(sealedName(1, 'r1')));
    await fs.rm(sealed(sealedName(1, 'r2').replace('.mcap', '.json')));
    await fs.writeFile(sealed(sealedName(2, 'r1').replace('.mcap', '.json')), '{');
    await fs.writeFile(sealed('x.mcap.tmp'), '');
    await fs.writeFile(sealed('notes.txt'), '');
    await fs.mkdir(join(folder.quarantine, segmentIdOf(7)));
    const { findings } = await run();
    const short = ({ where, what, actual, severity }: Finding): string =>
      `${severity} ${where.slice(folder.root.length)} ${what}: ${actual.split(':')[0]}`;
    const [one, two] = [segmentIdOf(1), segmentIdOf(2)];
    assert.deepEqual(findings.map(short).sort(), [
      `error /sealed/${one}.r1.json segment: none`,
      `error /sealed/${one}.r2.json manifest: none`,
      `error /sealed/${two}.r1.json manifest: manifest ${sealed(two)}.r1.json is not JSON`,
      `warning /quarantine/${segmentIdOf(7)} quarantine/: a damaged segment`,
      'warning /sealed/notes.txt sealed/: a file nobody knows',
      'warning /sealed/x.mcap.tmp sealed/: left over from an unfinished write',
    ]);
  });

  it('takes a missing manifest for unfinished while the WAL still has the segment', async () => {
    await fs.rm(sealed(mcap.replace('.mcap', '.json')));
    await fs.mkdir(join(folder.wal, segmentIdOf(1)));
    const report = await run();
    assert.ok(report.ok);
    assert.equal(report.totals.warnings, 1);
  });

  it('finds a segment under the name of another robot, with its manifest', async () => {
    const named = (robot: string, end: string): string => sealed(sealedName(1, robot).replace('mcap', end));
    const text = (await fs.readFile(named('r1', 'json'), 'utf8')).replaceAll('.r1.mcap', '.r2.mcap');
    const { manifestCrc32: _, ...manifest } = JSON.parse(text) as Manifest & { manifestCrc32: number };
    await fs.rename(named('r1', 'mcap'), named('r2', 'mcap'));
    await fs.rm(named('r1', 'json'));
    await fs.writeFile(named('r2', 'json'), encodeManifest(manifest));
    assert.ok(whats(await run()).includes('name for its segment and robot'));
  });

  it('finds damaged documents of the folder, and says what follows', async () => {
    await fs.mkdir(folder.events, { recursive: true });
    await fs.writeFile(join(folder.events, `${'a'.repeat(32)}.json`), '{"crc32":1,"event":null}');
    for (const name of ['sinks.json', 'stores.json', 'evicted.json']) {
      await fs.writeFile(join(folder.root, name), '{"version":1,"required":[null],"stores":5}');
    }
    const report = await run();
    assert.ok(report.ok);
    assert.deepEqual(whats(report).sort(), ['evicted.json', 'marked event', 'sinks.json', 'stores.json']);
  });

  it('compares receipts with what lies here', async () => {
    const path = join(folder.receipts, mcap.replace('.mcap', '.json'));
    await fs.writeFile(path, receiptText(segmentIdOf(1), 'r1', 'f'.repeat(64)));
    assert.deepEqual(whats(await run()), ['sha256 in dir:/backup']);
    await fs.writeFile(path, receiptText(segmentIdOf(2), 'r2', 'f'.repeat(64)));
    assert.deepEqual(whats(await run()), ['segment', 'robot', 'sha256 in dir:/backup']);
  });

  it('reads a recording of others without asking for CRCs it never had', async () => {
    const path = `${recording('two_robots')}/two_robots_0.mcap`;
    const report = await verify({ kind: 'mcap', path, files: [path] }, { files });
    assert.deepEqual(report.findings, []);
    assert.equal(report.totals.messages, 12_396);
  });

  it('reports the missing part of a killed recording', async () => {
    const path = `${recording('killed')}/killed_0.mcap`;
    const { findings, ok } = await verify({ kind: 'mcap', path, files: [path] }, { files });
    assert.ok(!ok);
    assert.deepEqual(
      findings.map(({ what, severity }) => [what, severity]),
      [
        ['bytes 2910110 to 2912256', 'error'],
        ['end of the file', 'error'],
        ['index', 'warning'],
      ],
    );
  });

  describe('of a store', () => {
    let store: DirectoryStore;
    let objects: string;
    const check = (): Promise<VerifyReport> => verify({ kind: 'store', store }, { files });
    const pathOf = async (end: string): Promise<string> => {
      const all = await fs.readdir(objects, { recursive: true });
      return join(objects, present(all.find((name) => name.endsWith(end))));
    };
    beforeEach(async () => {
      objects = join(root, 'store');
      store = new DirectoryStore(objects, storePorts);
      await store.createId('a'.repeat(32));
      await uploadAll(folder, store);
    });

    it('finds objects and manifests that were swapped between robots', async () => {
      const keyOf = (robot: string, end: string): string =>
        join(objects, present(keys.find((key) => key.includes(`robot=${robot}/`))).replace(/mcap$/, end));
      const keys: string[] = [];
      for await (const { key } of store.list('')) if (key.endsWith('.mcap')) keys.push(key);
      const swap = async (end: string): Promise<void> => {
        const [a, b] = [keyOf('r1', end), keyOf('r2', end)];
        await fs.rename(a, `${a}.swap`);
        await fs.rename(b, a);
        await fs.rename(`${a}.swap`, b);
      };
      assert.deepEqual(whats(await check()), []);
      await swap('mcap');
      await swap('json');
      const both = whats(await check());
      assert.deepEqual(both.filter((what) => what === 'key in the manifest').length, 2);
      assert.deepEqual(both.filter((what) => what === 'robot in the manifest').length, 2);
      await swap('mcap');
      assert.ok(whats(await check()).includes('sha256'));
      await fs.rm(keyOf('r1', 'json'));
      await swap('mcap');
      assert.ok(whats(await check()).includes('robot in the MCAP'));
    });

    it('finds nothing wrong with uploaded segments', async () => {
      const report = await check();
      assert.deepEqual(report.findings, []);
      assert.equal(report.totals.objects, 4);
      assert.equal(report.totals.messages, 4 * CHAT_MESSAGES + 2);
    });

    it('finds a damaged and a missing object, and one without a manifest', async () => {
      const damaged = await pathOf(`${segmentIdOf(1)}.mcap`);
      await fs.appendFile(damaged, 'x');
      await fs.rm(await pathOf(`${segmentIdOf(2)}.mcap`));
      const { findings } = await check();
      assert.ok(findings.some(({ what, where }) => what === 'size' && damaged.endsWith(where)));
      assert.ok(findings.some(({ what, actual }) => what === 'segment' && actual === 'none'));
      await fs.rm(await pathOf(`${segmentIdOf(1)}.json`));
      assert.ok(
        (await check()).findings.some(({ what, severity }) => what === 'manifest' && severity === 'warning'),
      );
    });

    it('counts a tombstone, and misses nothing because of it', async () => {
      const path = await pathOf(`${segmentIdOf(2)}.json`);
      const manifest = JSON.parse(await fs.readFile(path, 'utf8')) as Manifest;
      await fs.writeFile(path, encodeManifest({ ...manifest, evicted: { at: '1', reason: 'full' } }));
      await fs.rm(path.replace('.json', '.mcap'));
      const report = await check();
      assert.ok(report.ok);
      assert.equal(report.totals.tombstones, 1);
    });
  });
});
