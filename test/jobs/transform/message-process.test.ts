import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, manifestKey, type Manifest } from '../../../src/core/manifest.js';
import { present } from '../../../src/core/present.js';
import { packageRoot } from '../../../src/host/version.js';
import type { SegmentTransformer } from '../../../src/jobs/transform/segment-transformer.js';
import { eventually } from '../../../src/testing/waiting.js';
import { MemoryStore } from '../../support/memory-store.js';
import { SyncWorld, type Sealed } from '../../sync/sync-world.js';
import { messagesIn, sealTexts, SECRET, sinkOf, transformer } from './transform-world.js';

/** Retries within a test's time. */
const options = { backoffFirstMs: 1, backoffMaxMs: 5 } as const;

/** The program of docs/transform-process.md. */
async function documentedProgram(): Promise<string> {
  const page = await fs.readFile(join(packageRoot, 'docs', 'transform-process.md'), 'utf8');
  return present(/```python\n([^]*?)```/.exec(page)?.[1]);
}

/** Processes whose command line has a text. */
function processesWith(text: string): string[] {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(text));
}

describe('a program of sync.transform', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  let work: SegmentTransformer | undefined;

  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(async () => {
    await work?.[Symbol.asyncDispose]();
    work = undefined;
    await world[Symbol.asyncDispose]();
  });

  /** The documented program with some of its lines replaced. */
  async function program(changes: readonly (readonly [line: string, by: string])[] = []): Promise<string> {
    let text = await documentedProgram();
    for (const [line, by] of changes) {
      assert.ok(text.includes(line), line);
      text = text.replace(line, by);
    }
    const path = join(world.folder.root, 'program.py');
    await fs.writeFile(path, text);
    return path;
  }

  function manifestIn(store: MemoryStore, { manifest }: Sealed): Manifest {
    return decodeManifest(present(store.content.objects.get(manifestKey(manifest.key))).toString(), 'it');
  }

  it('changes messages and writes topics of its own, as the example of the documentation does', async () => {
    const sealed = await sealTexts(world);
    work = transformer([`/driver exec python3 ${await program()}`, '/driver drop']);
    const store = new MemoryStore();
    const summary = await world.drain(store, { sink: sinkOf(work) });
    assert.deepEqual(summary.segments, { verified: 1, parked: 0, pending: 0 });
    const manifest = manifestIn(store, sealed);
    const sizes: unknown[] = [];
    const topics = new Map<string, number>();
    for (const { channel, data } of await messagesIn(store, manifest)) {
      topics.set(channel.topic, (topics.get(channel.topic) ?? 0) + 1);
      if (channel.topic === '/sizes') sizes.push(JSON.parse(Buffer.from(data).toString()));
    }
    assert.deepEqual([...topics].sort(), [
      ['/sizes', 20],
      ['/speed', 20],
    ]);
    assert.deepEqual(sizes[0], { bytes: 4 + 4 + SECRET.length + 1 });
    assert.deepEqual(
      manifest.channels.map(({ topic, count, encoding }) => [topic, count, encoding]),
      [
        ['/speed', 20, 'cdr'],
        ['/sizes', 20, 'json'],
      ],
    );
    assert.equal(manifest.messages, 40);
    const [stage] = present(manifest.derived).stages;
    assert.deepEqual([stage?.name, stage?.version, stage?.program], ['process', 1, 'sizes 1.0']);
  });

  const HELLO = 'write(1, struct.pack("<H", 1) + text("sizes") + text("1.0"))';
  const MESSAGE = 'write(3, body[:2] + body[18:])';
  const END = 'write(5, struct.pack("<QQ", received, sent))';
  for (const [what, line, by, reason, limits = ''] of [
    ['crashes', MESSAGE, 'sys.exit(3)', /ended with exit code 3, in 3 attempts/],
    [
      'is killed',
      MESSAGE,
      'import os; os.kill(os.getpid(), 9)',
      /ended with exit code 137|killed by SIGKILL/,
    ],
    ['ends too early', MESSAGE, 'break', /ended before its work was done/],
    ['hangs', MESSAGE, 'import time; time.sleep(999)', /its answer to a message within 1 s/, 'message=1s '],
    ['is slow all the time', MESSAGE, 'import time; time.sleep(0.3)', /ran longer than 1 s/, 'segment=1s '],
    [
      'lies about counts',
      END,
      'write(5, struct.pack("<QQ", received, sent + 1))',
      /counted 40 .* 81 sent; it was 40 received and 80 sent/,
    ],
    ['does not end', END, END + '; target.flush(); import time; time.sleep(999)', /its end/, 'message=2s '],
    ['writes garbage', MESSAGE, 'target.write(b"\\xff" * 64)', /frame of 4294967295 bytes; allowed/],
    [
      'cuts a frame',
      MESSAGE,
      'target.write(b"\\x09\\0\\0\\0"); break',
      /output ended after 0 of the 9 bytes/,
    ],
    ['speaks another version', HELLO, HELLO.replace('"<H", 1', '"<H", 2'), /speaks version 2; allowed: 1/],
    ['answers on a foreign channel', MESSAGE, 'write(3, b"\\x07\\0")', /a message of channel 7; allowed/],
    ['answers twice', MESSAGE, `${MESSAGE}; ${MESSAGE}`, /a message of channel 0; allowed: one of channel 0/],
    [
      'eats memory',
      MESSAGE,
      'x = bytearray(400000000); import time; time.sleep(999)',
      /took \d+ bytes of memory; allowed: 134217728/,
      'memory=128MiB ',
    ],
    [
      'writes without end',
      MESSAGE,
      'write(3, body[:2] + bytes(2000000))',
      /output of more than 1048576 bytes/,
      'output=1MiB ',
    ],
  ] as const) {
    it(`parks the segment if it ${what}, and sends the others`, async () => {
      const bad = await sealTexts(world, ['/driver']);
      const good = await sealTexts(world, ['/speed']);
      const path = await program([[line, by]]);
      work = transformer([`/driver ${limits}exec python3 ${path}`]);
      const store = new MemoryStore();
      const summary = await world.drain(store, { sink: sinkOf(work), options }, AbortSignal.timeout(40_000));
      assert.deepEqual(summary.segments, { verified: 1, parked: 1, pending: 0 });
      const [alarm] = summary.alarms;
      assert.equal(alarm?.code, 'TRANSFORM_FAILED');
      assert.match(alarm.message, reason);
      assert.ok(!alarm.message.includes('Ann Example'));
      const keys = [...store.content.objects.keys()].filter((key) => key.startsWith('robot='));
      assert.deepEqual(keys.sort(), [manifestKey(good.manifest.key), good.manifest.key].sort());
      assert.deepEqual(await fs.readFile(join(world.folder.sealed, bad.manifest.file.name)), bad.data);
      assert.deepEqual(processesWith(path), []);
    });
  }

  it('is started again, so that a fault by chance parks nothing', async () => {
    await sealTexts(world, ['/driver']);
    const flag = join(world.folder.root, 'failed-once');
    const once = `import os; os.path.exists("${flag}") or (open("${flag}", "w"), sys.exit(1)); ${MESSAGE}`;
    work = transformer([`/driver exec python3 ${await program([[MESSAGE, once]])}`]);
    const limit = AbortSignal.timeout(40_000);
    const summary = await world.drain(new MemoryStore(), { sink: sinkOf(work), options }, limit);
    assert.deepEqual(summary.segments, { verified: 1, parked: 0, pending: 0 });
    assert.ok(await fs.stat(flag));
  });

  it('is named with the reason if it is not there', async () => {
    await sealTexts(world, ['/driver']);
    work = transformer(['/driver exec /no/such/program']);
    const summary = await world.drain(new MemoryStore(), { sink: sinkOf(work), options });
    assert.match(summary.alarms[0]?.message ?? '', /\/no\/such\/program.*it was not found/);
  });

  it('ends with sync, although it hangs', async () => {
    await sealTexts(world, ['/driver']);
    const path = await program([[MESSAGE, 'import time; time.sleep(999)']]);
    work = transformer([`/driver exec python3 ${path}`]);
    const end = new AbortController();
    const drain = world.drain(new MemoryStore(), { sink: sinkOf(work), options }, end.signal);
    await eventually(() => Promise.resolve(processesWith(path).length > 1), 'the program runs');
    end.abort();
    await drain.catch(() => undefined);
    await eventually(() => Promise.resolve(processesWith(path).length === 0), 'the program is gone');
  });
});
