import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { jsonOf, runCli } from '../../support/cli.js';
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

  it('refuses wrong rules, a missing key and recipients, each with what is allowed', async () => {
    const sync = (...more: string[]): ReturnType<typeof runCli> =>
      runCli(['sync', '--data', at('data'), '--store', `dir:${at('store')}`, '--drain', '--json', ...more]);
    const key = await runCli(['keygen', '--out', at('fleet.key'), '--json']);
    const recipient = /hfpub1_[\w-]+/.exec(key.stdout)?.[0] ?? '';
    for (const [given, words] of [
      [['--transform', '/driver blur=data'], /sync\.transform is \["\/driver blur=data"\]; .*drop=FIELDS/s],
      [['--transform', '/driver hash=data'], /sync\.hash_key.*secret key/s],
      [['--transform', '/driver hash=data', '--hash-key', at('nothing')], /sync\.hash_key.*can be read/s],
      [['--transform', '/voice drop', '--recipient', recipient], /store\.uri.*transform=no or encrypt=no/s],
    ] as const) {
      const run = await sync(...given);
      assert.equal(run.exitCode, 2, run.stderr);
      const { message } = jsonOf(run)['error'] as { message: string };
      assert.match(message, words);
    }
  });
});
