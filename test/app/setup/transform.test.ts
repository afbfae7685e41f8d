import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { askRole } from '../../../src/app/control/control-client.js';
import type { SyncStatus } from '../../../src/core/status.js';
import { eventually } from '../../../src/testing/waiting.js';
import { jsonOf, runCli, spawnCli } from '../../support/cli.js';
import { BufferWritable, cdrString } from '../../support/test-mcap.js';

const NAME = 'Ann Example of Private Road';
const PLACE = 47.376_934_56;

/** Texts and positions in CDR and JSON, and a topic that must stay here. */
async function recordingWithSecrets(): Promise<Uint8Array> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out });
  await writer.start({ profile: 'ros2', library: 'test' });
  const schemaOf = async (name: string, text: string): Promise<number> =>
    writer.registerSchema({ name, encoding: 'ros2msg', data: Buffer.from(text) });
  const text = await schemaOf('std_msgs/msg/String', 'string data');
  const fix = await schemaOf('gen/msg/Fix', 'float64 latitude\nfloat64 longitude\nfloat64 altitude');
  const channelOf = (topic: string, schemaId: number, messageEncoding: string): Promise<number> =>
    writer.registerChannel({ schemaId, topic, messageEncoding, metadata: new Map() });
  const channels = [
    await channelOf('/driver', text, 'cdr'),
    await channelOf('/fix', fix, 'cdr'),
    await channelOf('/voice', text, 'cdr'),
    await channelOf('/state', 0, 'json'),
  ];
  const position = Buffer.alloc(28);
  position[1] = 1;
  [PLACE, 8.541_7, 408].forEach((value, at) => position.writeDoubleLE(value, 4 + 8 * at));
  const payloads = [
    cdrString(NAME),
    position,
    cdrString(`${NAME} speaks`),
    Buffer.from(JSON.stringify({ speed: 3, who: { name: NAME }, latitude: PLACE })),
  ];
  for (let index = 0; index < 40; index++) {
    const time = 1_795_852_800_000_000_000n + BigInt(index);
    const at = index % channels.length;
    const data = payloads[at]!;
    await writer.addMessage({
      channelId: channels[at]!,
      sequence: 0,
      logTime: time,
      publishTime: time,
      data,
    });
  }
  await writer.end();
  return out.bytes();
}

const RULES = [
  '/driver hash=data',
  '/fix round=latitude+longitude:1000m',
  '/voice drop',
  '/state drop=who round=latitude:1',
].flatMap((rule) => ['--transform', rule]);

describe('holdfast sync --transform', function () {
  this.timeout(120_000);
  let folder: string;
  const at = (...names: string[]): string => join(folder, ...names);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-transform-'));
    await writeFile(at('in.mcap'), await recordingWithSecrets());
    await writeFile(at('hash.key'), 'the key of this test fleet');
    const run = await runCli(['record', '--source', `mcap:${at('in.mcap')}`, '--data', at('data'), '--json']);
    assert.equal(run.exitCode, 0, run.stderr);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('lets no byte of a changed field reach a store, a manifest, a lake or a log', async () => {
    const args = ['sync', '--data', at('data'), ...RULES, '--hash-key', at('hash.key'), '--drain', '--json'];
    const lake = `parquet:dir:${at('lake')}?compression=none`;
    const sync = await runCli([...args, '--store', `dir:${at('store')}`, '--sink', lake]);
    assert.equal(sync.exitCode, 0, sync.stderr);
    // The store as it lies there, and every message of it: chunks are compressed.
    const cat = await runCli(['cat', `dir:${at('store')}`, '--json']);
    assert.equal(cat.exitCode, 0, cat.stderr);
    assert.match(cat.stdout, /"speed":3/);
    const left: Buffer[] = [sync, cat].map(({ stdout, stderr }) => Buffer.from(stdout + stderr));
    for (const place of ['store', 'lake']) {
      for (const name of await readdir(at(place), { recursive: true })) {
        if ((await stat(at(place, name))).isFile()) left.push(await readFile(at(place, name)));
      }
    }
    const exact = Buffer.alloc(8);
    exact.writeDoubleLE(PLACE);
    const secrets = [
      Buffer.from('Ann Example'),
      Buffer.from('Private Road'),
      exact,
      Buffer.from(String(PLACE)),
    ];
    const local = await runCli(['cat', at('data'), '--json']);
    for (const secret of secrets) {
      for (const bytes of left) assert.ok(!bytes.includes(secret), bytes.toString().slice(0, 300));
    }
    assert.ok(local.stdout.includes('Ann Example'), 'the search finds it where it may be');
    const names = await readdir(at('lake'), { recursive: true });
    assert.ok(names.some((name) => name.endsWith('.parquet')));
    assert.ok(!names.some((name) => name.includes('voice')));
    const verified = await runCli(['verify', '--store', `dir:${at('store')}`, '--json']);
    assert.equal(verified.exitCode, 0, verified.stdout);
  });

  it('sends segments as they are to a sink with transform=no', async () => {
    const args = ['sync', '--data', at('data'), ...RULES, '--hash-key', at('hash.key'), '--drain', '--json'];
    const sink = `mcap:dir:${at('vault')}?transform=no`;
    const sync = await runCli([...args, '--store', `dir:${at('store')}`, '--sink', sink]);
    assert.equal(sync.exitCode, 0, sync.stderr);
    const cat = await runCli(['cat', `dir:${at('vault')}`, '--json']);
    assert.ok(cat.stdout.includes('Ann Example'));
  });

  it('encrypts changed copies for recipients', async () => {
    const key = await runCli(['keygen', '--out', at('fleet.key'), '--json']);
    const recipient = /hfpub1_[\w-]+/.exec(key.stdout)?.[0] ?? '';
    const store = `dir:${at('encrypted')}`;
    const rules = ['--transform', '/driver zero=data', '--transform', '/state drop=who'];
    const args = [...rules, '--recipient', recipient, '--accept-new-store'];
    const sync = await runCli(['sync', '--data', at('data'), '--store', store, ...args, '--drain', '--json']);
    assert.equal(sync.exitCode, 0, sync.stderr);
    const cat = await runCli(['cat', store, '--identity', at('fleet.key'), '--json']);
    assert.equal(cat.exitCode, 0, cat.stderr);
    assert.match(cat.stdout, /speaks/);
    assert.ok(!cat.stdout.includes(`"${NAME}"`));
    const blind = await runCli(['cat', store, '--json']);
    assert.ok(!blind.stdout.includes('speaks'));
    const verified = await runCli(['verify', '--store', store, '--json']);
    assert.equal(verified.exitCode, 0, verified.stdout);
  });

  it('refuses wrong rules and a missing key, each with what is allowed', async () => {
    const sync = (...more: string[]): ReturnType<typeof runCli> =>
      runCli(['sync', '--data', at('data'), '--store', `dir:${at('store')}`, '--drain', '--json', ...more]);
    for (const [given, words] of [
      [['--transform', '/driver blur=data'], /sync\.transform is \["\/driver blur=data"\]; .*drop=FIELDS/s],
      [['--transform', '/driver hash=data'], /sync\.hash_key.*secret key/s],
      [['--transform', '/driver infer none.onnx fields=data'], /sync\.transform.*a model .* can be read/s],
      [['--transform', '/driver hash=data', '--hash-key', at('nothing')], /sync\.hash_key.*can be read/s],
    ] as const) {
      const run = await sync(...given);
      assert.equal(run.exitCode, 2, run.stderr);
      const { message } = jsonOf(run)['error'] as { message: string };
      assert.match(message, words);
    }
  });

  it('changes its rules while it runs, and refuses wrong ones with a reason', async () => {
    const store = at('live');
    const rules = ['/driver zero=nothing', '/voice drop', '/none exec cat'].flatMap((rule) => [
      '--transform',
      rule,
    ]);
    const sync = spawnCli([
      'sync',
      '--data',
      at('data'),
      '--store',
      `dir:${store}`,
      ...rules,
      '--accept-new-store',
    ]);
    const set = (...given: string[]): Promise<unknown> =>
      askRole(at('data'), 'sync', 'set_transform', { args: { rules: given } });
    const segments = async (): Promise<Record<string, number>> => {
      const status = (await askRole(at('data'), 'sync', 'status')) as SyncStatus;
      return status.segments;
    };
    try {
      await sync.waitFor(/syncing/);
      await eventually(async () => ((await segments())['parked'] ?? 0) > 0, 'the wrong rule parks');
      for (const [given, words] of [
        [['/driver blur=data'], /sync\.transform is .*drop=FIELDS/s],
        [[], /no rules; allowed: at least one rule/],
        [['/driver hash=data'], /without hash, because sync began without sync\.hash_key/],
        [['/driver infer none.onnx fields=data'], /allowed: models of the configuration/],
        [['/driver exec sh'], /"\/driver exec sh"; allowed: programs .* of the configuration/],
      ] as const) {
        await assert.rejects(set(...given), words);
      }
      assert.ok(((await segments())['parked'] ?? 0) > 0);
      await set('/driver zero=data', '/voice drop', '/fix round=latitude+longitude:1000m', '/none exec cat');
      await eventually(async () => (await segments())['parked'] === 0, 'nothing is parked');
      await eventually(async () => (await segments())['pending'] === 0, 'everything is sent');
    } finally {
      sync.child.kill('SIGTERM');
      await sync.ended;
    }
    const cat = await runCli(['cat', `dir:${store}`, '--json']);
    assert.match(cat.stdout, /\/driver/);
    assert.ok(!cat.stdout.includes('speaks'));
  });
});
