import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { present } from '../../../src/core/present.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { decodeKey } from '../../../src/encryption/key-text.js';
import { eventually } from '../../../src/testing/waiting.js';
import { cliSuite } from '../../support/cli-suite.js';
import { jsonOf, runCli, type CliProcess, type CliRun } from '../../support/cli.js';
import { freePort } from '../../support/free-port.js';
import { BufferWritable } from '../../support/test-mcap.js';

/** Payloads of the messages: a number and a text, as they lie in files and as somebody would print them. */
const LEVEL = 98_765_432.5;
/** Anomaly rules show values with four digits. */
const SHOWN_LEVEL = '98770000';
/** Of an anomaly rule: less than every level. */
const LIMIT = 1;
const NOTE = 'note about the visitor at gate nine';
const LEVEL_BYTES = Buffer.alloc(8);
LEVEL_BYTES.writeDoubleLE(LEVEL);
const PAYLOADS = [
  Buffer.from(NOTE),
  LEVEL_BYTES,
  ...[String(LEVEL), SHOWN_LEVEL].map((one) => Buffer.from(one)),
];
/** Ten minutes at one message of each topic in 100 ms. */
const MESSAGES = 6_000;
const STEP_NS = 100_000_000n;
/** Bytes of base64 groups that a key of 32 bytes fills alone: what follows it does not matter. */
const WHOLE_GROUPS = 30;

/** A recording of two topics, to be played. */
async function twoTopics(): Promise<Uint8Array> {
  const out = new BufferWritable();
  const writer = new McapWriter({ writable: out });
  await writer.start({ profile: 'ros2', library: 'test' });
  const register = async (topic: string, name: string, definition: string): Promise<number> => {
    const schemaId = await writer.registerSchema({
      name,
      encoding: 'ros2msg',
      data: Buffer.from(definition),
    });
    return writer.registerChannel({ topic, schemaId, messageEncoding: 'cdr', metadata: new Map() });
  };
  const level = await register('/level', 'demo_msgs/msg/Level', 'float64 data\n');
  const note = await register('/note', 'std_msgs/msg/String', 'string data\n');
  for (let sequence = 0; sequence < MESSAGES; sequence++) {
    const logTime = 1_700_000_000_000_000_000n + BigInt(sequence) * STEP_NS;
    const times = { sequence, logTime, publishTime: logTime };
    await writer.addMessage({
      ...times,
      channelId: level,
      data: new CdrWriter().begin().f64(LEVEL).finish(),
    });
    await writer.addMessage({
      ...times,
      channelId: note,
      data: new CdrWriter().begin().string(NOTE).finish(),
    });
  }
  await writer.end();
  return out.bytes();
}

/** The key of a file in every form in which it could lie somewhere. */
async function formsOf(path: string): Promise<readonly Buffer[]> {
  const text = present(/hf(?:sec|key)1_\S+/.exec(await readFile(path, 'utf8')))[0];
  const raw = decodeKey(text.startsWith('hfsec1_') ? 'identity' : 'symmetric', text, path);
  const start = raw.subarray(0, WHOLE_GROUPS);
  const hex = raw.toString('hex');
  const texts = [text, hex, hex.toUpperCase(), start.toString('base64'), start.toString('base64url')];
  return [raw, ...texts.map((one) => Buffer.from(one))];
}

async function filesIn(...folders: string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    paths.push(
      ...entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
    );
  }
  return paths;
}

/** Names of the places that have one of the needles. */
function placesWith(places: ReadonlyMap<string, Buffer>, needles: readonly Buffer[]): string[] {
  return [...places].filter(([, bytes]) => needles.some((one) => bytes.includes(one))).map(([name]) => name);
}

/** The files of the outbox with the name of the field: its values are differences, which no search finds. */
const outboxWith = (places: ReadonlyMap<string, Buffer>): string[] =>
  placesWith(places, [Buffer.from('/level')]).filter((path) => path.includes('outbox'));

describe('keys and payloads of an encrypted recording', function () {
  this.timeout(300_000);
  let folder: string;
  const start = cliSuite('key-material', (made) => (folder = made));
  const at = (name: string): string => join(folder, name);
  /** What commands and pages have shown, by their name. */
  let shown: Map<string, Buffer>;

  async function ok(...args: string[]): Promise<CliRun> {
    const run = await runCli(args);
    assert.equal(run.exitCode, 0, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
    shown.set(args.slice(0, 2).join(' '), Buffer.from(run.stdout + run.stderr));
    return run;
  }

  async function contents(...folders: string[]): Promise<Map<string, Buffer>> {
    const found = new Map<string, Buffer>();
    // The recorder removes files meanwhile.
    for (const path of await filesIn(...folders))
      found.set(path, await readFile(path).catch(() => Buffer.alloc(0)));
    return found;
  }

  /** Records, uploads and fills the outbox of a ground that is not there, until each has something. */
  async function recordAndSync(name: string, ...encryption: string[]): Promise<[CliProcess, CliProcess]> {
    const [data, log] = [at(name), ['--log-level', 'debug']];
    const ground = ['--ground-url', `ws://127.0.0.1:${await freePort()}`, '--ground-token-file', at('token')];
    const recorder = start(
      ...['record', '--source', `mcap:${at('two.mcap')}?speed=1x`, '--robot', 'r1', '--data', data],
      ...['--web-port', '0', '--no-foxglove', '--compression', 'none', '--segment-max-age-ms', '2000'],
      ...[...ground, '--ground-field', '/level.data threshold=0.5', ...log, ...encryption],
      // Breaks at the first message: a mark, a line of the log, and the status tell it.
      ...['--anomaly', `/level.data value>${LIMIT}`],
    );
    const when = `topic=/level:data>=${Math.floor(LEVEL / 1e6)}e6`;
    const sync = start(
      'sync',
      '--data',
      data,
      '--store',
      `dir:${at(`${name}-store`)}`,
      '--when',
      when,
      ...log,
    );
    await eventually(async () => {
      const names = await filesIn(at(`${name}-store`)).catch(() => []);
      return names.filter((one) => /\.mcap(\.enc)?$/.test(one)).length >= 2;
    }, 'segments in the store');
    await eventually(async () => {
      const logs = (await filesIn(data)).filter((path) => /outbox.*\.log$/.test(path));
      const sizes = await Promise.all(logs.map(async (path) => (await readFile(path)).length));
      return sizes.some((size) => size > 500);
    }, 'samples in the outbox');
    return [recorder, sync];
  }

  async function kill(...processes: CliProcess[]): Promise<void> {
    for (const { child, ended } of processes) {
      child.kill('SIGKILL');
      await ended;
    }
  }

  beforeEach(async () => {
    shown = new Map();
    await writeFile(at('two.mcap'), await twoTopics());
    await writeFile(at('token'), (await ok('ground', 'enrol', 'r1', '--data', at('ground'))).stdout, {
      mode: 0o600,
    });
  });

  it('appear in no file, output, log or page, and the search finds them without encryption', async () => {
    await kill(...(await recordAndSync('plain')));
    const plain = placesWith(await contents(at('plain'), at('plain-store')), PAYLOADS);
    for (const place of [
      /\/wal\//,
      /\/sealed\//,
      /condition-values\.json$/,
      /\/events\//,
      /recorder\.log$/,
      /plain-store/,
    ])
      assert.ok(
        plain.some((path) => place.test(path)),
        `the search finds ${String(place)} in ${plain.join('\n')}`,
      );

    assert.ok(
      outboxWith(await contents(at('plain'))).length > 0,
      'the search finds a field in a plain outbox',
    );

    const recipient = String(jsonOf(await ok('keygen', '--out', at('fleet.key'), '--json'))['recipient']);
    for (const name of ['wal.key', 'other.key']) await ok('keygen', '--symmetric', '--out', at(name));
    const encryption = ['--encrypt-for', recipient, '--at-rest-key', at('wal.key')];
    const [recorder, sync] = await recordAndSync('rec', ...encryption);
    await eventually(
      async () => (await readFile(join(at('rec'), 'condition-values.json'), 'utf8')).includes('meets'),
      'compared values',
    );

    const status = jsonOf(await ok('status', '--data', at('rec'), '--json'));
    await ok('status', '--data', at('rec'));
    const url = present(/http:\/\/127\.0\.0\.1:\d+/.exec(recorder.output()))[0];
    for (const path of ['status', 'metrics', 'topics', 'segments', 'history', 'logs?limit=1000', 'alerts'])
      shown.set(`/${path}`, Buffer.from(await (await fetch(`${url}/${path}`)).text()));
    assert.ok(String(present(shown.get('/metrics'))).includes('holdfast_wal_encrypted{key="key:'));
    await kill(recorder);
    const refused = await runCli([
      ...['record', '--source', 'sim:?duration=1s', '--data', at('rec'), '--log-level', 'debug'],
      ...['--encrypt-for', recipient, '--at-rest-key', at('other.key')],
    ]);
    assert.notEqual(refused.exitCode, 0);
    shown.set('refused', Buffer.from(refused.stdout + refused.stderr));
    await ok('status', '--data', at('rec'), '--json');
    await kill(sync);
    for (const one of [recorder, sync]) shown.set(`log of ${one.child.pid}`, Buffer.from(one.output()));

    const identity = ['--identity', at('fleet.key'), '--log-level', 'debug'];
    const store = `dir:${at('rec-store')}`;
    await ok('ls', store, '--json');
    await ok('verify', store);
    await ok('verify', store, ...identity);
    await ok('verify', at('rec'), ...identity);

    // What the user asked for is readable, and was in the recording.
    const cat = await runCli(['cat', store, ...identity, '--topic', '/note', '--limit', '1']);
    assert.ok(cat.stdout.includes(NOTE), cat.stdout);
    assert.deepEqual(placesWith(shown, PAYLOADS), []);
    assert.deepEqual(placesWith(await contents(at('rec'), at('rec-store')), PAYLOADS), []);

    assert.deepEqual(outboxWith(await contents(at('rec'))), []);

    await ok('export', '--from', store, '--to', at('tables'), '--format', 'csv', ...identity);
    await ok('report', '--from', store, '--output', at('report.html'), ...identity);
    const forms = (
      await Promise.all(['fleet.key', 'wal.key', 'other.key'].map((name) => formsOf(at(name))))
    ).flat();
    const token = Buffer.from((await readFile(at('token'), 'utf8')).trim());
    assert.equal((status['recorder'] as { atRestKeyName?: string }).atRestKeyName?.slice(0, 4), 'key:');
    assert.deepEqual(
      placesWith(new Map([...shown].filter(([name]) => name !== 'ground enrol')), [...forms, token]),
      [],
    );
    const keyFiles = ['fleet.key', 'other.key', 'wal.key'].map(at);
    assert.deepEqual(placesWith(await contents(folder), forms).sort(), keyFiles);
    assert.deepEqual(placesWith(await contents(at('rec'), at('rec-store'), at('tables')), [token]), []);
  });
});
