import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.js';
import { openMcap } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import { present } from '../../../src/core/present.js';
import { toGrid } from '../../../src/core/transform/rounding.js';
import { DATABASE_USER } from '../../../src/ground/database/cluster-folder.js';
import { PostgresDatabase } from '../../../src/ground/database/postgres-database.js';
import { MessageFields } from '../../../src/recordings/quality/message-fields.js';
import { runCli } from '../../support/cli.js';
import { cliSuite } from '../../support/cli-suite.js';

const GRID_M = 1_000;
/** Of latitude and longitude in the default fields, with the digits that the ground keeps. */
const GRID_TOLERANCE_DEGREES = 2e-5;
const SERIAL = 'robot1-battery';
const DIAGNOSTICS = '/robot1/diagnostics';
const RULES = [
  `/gps/fix$ round=latitude+longitude:${GRID_M}m zero=altitude`,
  '/battery$ zero=voltage hash=serial_number',
  '/diagnostics$ drop',
];

/** The numbers of a sealed segment, as the robot recorded them. */
interface Originals {
  readonly latitude: number[];
  readonly longitude: number[];
  readonly altitude: number[];
  readonly voltage: number[];
  /** No rule is about it. */
  readonly east: number[];
}

const sought = [
  ['gps/fix', 'latitude', 'latitude'],
  ['gps/fix', 'longitude', 'longitude'],
  ['gps/fix', 'altitude', 'altitude'],
  ['battery', 'voltage', 'voltage'],
  ['odom', 'pose.pose.position.x', 'east'],
] as const;

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

async function readOriginals(sealed: string): Promise<Originals> {
  const found: Originals = { latitude: [], longitude: [], altitude: [], voltage: [], east: [] };
  for (const path of filesBelow(sealed).filter((one) => one.endsWith('.mcap'))) {
    const readers = new Map<string, MessageFields>();
    const segment = await openMcap(bytesReadable(readFileSync(path)), path);
    for await (const { channel, data } of segment.messages()) {
      const wanted = sought.filter(([topic]) => channel.topic.endsWith(`/${topic}`));
      if (wanted.length === 0) continue;
      const reader = readers.get(channel.topic) ?? new MessageFields(channel.schema);
      readers.set(channel.topic, reader);
      reader.decode(data);
      for (const [, field, name] of wanted)
        found[name].push(reader.value(reader.fields.findIndex((one) => one.name === field)));
    }
  }
  return found;
}

/** A file, and the messages of an MCAP behind it: its chunks are compressed. */
async function contentOf(path: string): Promise<Buffer> {
  const bytes = readFileSync(path);
  if (!path.endsWith('.mcap')) return bytes;
  const parts: Uint8Array[] = [bytes];
  const reader = await openMcap(bytesReadable(bytes), path);
  for await (const { data } of reader.messages()) parts.push(Uint8Array.from(data));
  return Buffer.concat(parts);
}

/** Whether bytes have one of these numbers: a double in either byte order, or the same as a float. */
function hasNumber(numbers: readonly number[], bytes: Buffer): boolean {
  const all = new Set(numbers);
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  const isSought = (value: number): boolean => value >= low && value <= high && all.has(value);
  const areFloats = numbers.every((value) => Math.fround(value) === value);
  for (let at = 0; at + 4 <= bytes.byteLength; at++) {
    if (areFloats && isSought(bytes.readFloatLE(at))) return true;
    if (at + 8 > bytes.byteLength) continue;
    if (isSought(bytes.readDoubleLE(at)) || isSought(bytes.readDoubleBE(at))) return true;
  }
  return false;
}

describe('What sync.transform removes', function () {
  this.timeout(180_000);
  let folder: string;
  const start = cliSuite('redacted', (made) => (folder = made));

  it('is in nothing that leaves the robot: store, lake, ground and logs', async () => {
    const at = (name: string): string => join(folder, name);
    const enrolled = await runCli(['ground', 'enrol', 'robot1', '--data', at('ground')]);
    await writeFile(at('tokens'), enrolled.stdout, { mode: 0o600 });
    await writeFile(at('hash.key'), 'sixteen bytes and more');
    const ground = start('ground', '--data', at('ground'), '--listen', '127.0.0.1:0');
    await ground.waitFor(/listens.* port=\d+/);
    const port = present(/ port=(\d+)/.exec(ground.output()))[1];

    const robot = start(
      ...['up', '--source', 'sim:?robots=1&duration=12s', '--data', at('data')],
      ...['--include', '/robot1/(gps/fix|odom|battery|diagnostics)$', '--compression', 'none'],
      ...['--store', `dir:${at('store')}`, '--sink', `parquet:dir:${at('lake')}?compression=none`],
      ...['--create-store-id', '--segment-max-age-ms', '4000', '--log-file', 'auto'],
      ...RULES.flatMap((rule) => ['--transform', rule]),
      ...['--hash-key', at('hash.key'), '--anomaly', '/robot1/gps/fix.altitude value>1'],
      ...['--ground-url', `ws://127.0.0.1:${port}`, '--ground-token-file', at('tokens')],
    );
    const { exitCode } = await robot.ended;
    assert.equal(exitCode, 0, robot.output());
    const originals = await readOriginals(join(at('data'), 'sealed'));
    assert.ok(originals.altitude.length > 60 && originals.voltage.length > 5, 'the robot has recorded it');

    const socketFolder = join(at('ground'), 'database', 'socket');
    const place = { address: socketFolder, socketFolder, user: DATABASE_USER, database: 'postgres' };
    {
      await using database = await PostgresDatabase.connect(place, silentLogger);
      const stored = (topic: string, path: string): Promise<readonly { readonly value: number }[]> =>
        database.query(
          `SELECT DISTINCT s.value FROM holdfast.samples s JOIN holdfast.fields f ON f.id = s.field
           WHERE f.topic = $1 AND f.path = $2 AND s.value IS NOT NULL`,
          [`/robot1/${topic}`, path],
        );
      const fix = '/robot1/gps/fix';
      const grid = toGrid(present(originals.latitude[0]), present(originals.longitude[0]), GRID_M);
      for (const [index, path] of ['latitude', 'longitude'].entries()) {
        const values = await stored('gps/fix', path);
        assert.ok(values.length > 0, `${fix} ${path} has arrived`);
        for (const { value } of values)
          assert.ok(Math.abs(value - present(grid[index])) <= GRID_TOLERANCE_DEGREES, `${path} ${value}`);
      }
      assert.deepEqual(await stored('gps/fix', 'altitude'), []);
      assert.deepEqual(await stored('battery', 'voltage'), []);
      assert.ok((await stored('battery', 'percentage')).length > 0);
      const labels = await database.query<{ label: string }>('SELECT label FROM holdfast.recording_events');
      assert.ok(labels.length > 0, 'a mark has arrived');
      for (const { label } of labels) assert.match(label, /breaks the rule/);
      await database.query('CHECKPOINT');
    }
    ground.child.kill('SIGTERM');
    assert.equal((await ground.ended).exitCode, 0);

    const places = [at('store'), at('lake'), at('ground'), join(at('data'), 'log')].map(filesBelow);
    for (const files of places) assert.ok(files.length > 0);
    const found = new Map<string, string[]>();
    const note = (what: string, path: string): unknown => found.set(what, [...(found.get(what) ?? []), path]);
    for (const path of places.flat()) {
      const bytes = await contentOf(path);
      for (const [name, numbers] of Object.entries(originals) as [keyof Originals, number[]][])
        if (hasNumber(numbers, bytes)) note(name, path);
      for (const text of [SERIAL, DIAGNOSTICS, '/robot1/odom']) if (bytes.includes(text)) note(text, path);
    }
    // What is not removed is found: so the search finds what is there.
    for (const name of ['store', 'lake', 'ground'])
      for (const kept of ['east', '/robot1/odom'])
        assert.ok(
          found.get(kept)?.some((path) => path.startsWith(at(name))),
          `${kept} is in ${name}`,
        );
    found.delete('east');
    found.delete('/robot1/odom');
    assert.deepEqual([...found], []);
  });
});
