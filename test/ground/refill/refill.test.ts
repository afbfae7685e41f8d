import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { McapWriter } from '@mcap/core';
import { silentLogger } from '../../../src/core/logger.js';
import { formatTime, NS_PER_MS, NS_PER_S } from '../../../src/core/clock.js';
import { encodeManifest, manifestKey, type Manifest } from '../../../src/core/manifest.js';
import type { Channel } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { newSegmentId } from '../../../src/core/segment-id.js';
import { Catalogue } from '../../../src/ground/catalogue/catalogue.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { HistoryWriter } from '../../../src/ground/history/history-writer.js';
import { HoleBook } from '../../../src/ground/refill/hole-book.js';
import { Refill } from '../../../src/ground/refill/refill.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { parseFieldRule } from '../../../src/settings/field-rule.js';
import { eventually } from '../../../src/testing/waiting.js';
import { isDue, type FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import type { RemovedSamples } from '../../../src/uplink/protocol/outbox-codec.js';
import { TelemetrySampler } from '../../../src/uplink/robot/telemetry-sampler.js';
import { MemoryStore } from '../../support/memory-store.js';
import { BufferWritable } from '../../support/test-mcap.js';
import { onEveryPostgres } from '../database/database-world.js';

const RUN = 2n ** 64n - 9n;
const TICK_NS = 100_000_000;
/** An hour ago, at the beginning of a minute. */
const START = (systemClock.now() / (60n * NS_PER_S) - 60n) * 60n * NS_PER_S;
const SEGMENT_NS = 20n * NS_PER_S;
const FIRST_TICK = 50;
const TICKS = 400;
const rules = ['*.v threshold=0.5 scale=2.5 unit=mph', '*.w threshold=1 rate=2 circular=360'].map((text) =>
  present(parseFieldRule(text)),
);

const schema = {
  ...{ name: 'demo_msgs/msg/Speed', encoding: 'ros2msg' },
  data: new TextEncoder().encode('float64 v\nfloat64 w\n'),
};

interface Recorded {
  readonly topic: string;
  readonly logTime: bigint;
  readonly data: Uint8Array;
}

/** A minute of driving. `/late` is silent most of the time. */
function drive(): readonly Recorded[] {
  const messages: Recorded[] = [];
  for (let i = 0; i < 60_000 / 23; i++) {
    const logTime = START + BigInt(i) * 23n * NS_PER_MS + 1n;
    const data = new CdrWriter()
      .begin()
      .f64(Math.sin(i / 40))
      .f64((i * 7) % 360)
      .finish();
    messages.push({ topic: '/speed', logTime, data });
    const second = (i * 23) / 1_000;
    if (second < 1 || (second > 25 && second < 28) || second > 45)
      messages.push({ topic: '/late', logTime, data });
  }
  return messages;
}

/** By tick and field, what the robot sampled. */
interface Truth {
  readonly fields: readonly FieldSpec[];
  readonly rows: ReadonlyMap<string, number | null>;
}

function sampleAsRobot(messages: readonly Recorded[]): Truth {
  let fields: readonly FieldSpec[] = [];
  const rows = new Map<string, number | null>();
  const taker = {
    fields: (specs: readonly FieldSpec[]) => void (fields = specs),
    sample: (tick: number, timeNs: bigint, values: Float64Array) => {
      assert.equal(timeNs, START + BigInt(tick + 1) * BigInt(TICK_NS));
      fields.forEach((spec, i) => {
        const value = values[i] ?? NaN;
        if (isDue(spec, tick)) rows.set(nameOf(tick, spec), Number.isFinite(value) ? value : null);
      });
    },
  };
  const sampler = new TelemetrySampler({ rules, tickNs: TICK_NS }, taker, silentLogger);
  const channels = new Map<string, Channel>();
  for (const { topic, logTime, data } of messages) {
    const channel = channels.get(topic) ?? { ...{ robot: 'r1', topic, encoding: 'cdr' }, ...channelRest };
    channels.set(topic, channel);
    sampler.take({ kind: 'message', channel, data, receivedAt: logTime, publishedAt: logTime });
  }
  return { fields, rows };
}

const channelRest = { schema, metadata: {}, latched: false };
const nameOf = (tick: number, { topic, path }: { topic: string; path: string }): string =>
  `${tick} ${topic} ${path}`;

onEveryPostgres('Refill', (server) => {
  let database: Database;
  let store: MemoryStore;
  let catalogue: Catalogue;
  let refill: Refill;
  const messages = drive();
  const truth = sampleAsRobot(messages);
  const removed: RemovedSamples = {
    ...{ kind: 'removed', run: RUN, firstTick: FIRST_TICK, ticks: TICKS },
    ...{ catalogue: { version: 1, tickNs: TICK_NS, fields: truth.fields } },
    timeNs: START + BigInt(FIRST_TICK + 1) * BigInt(TICK_NS),
  };

  beforeEach(async () => {
    database = await server().connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    store = new MemoryStore({ uri: 'memory:one' });
    catalogue = new Catalogue(database, [store], { clock: systemClock, logger: silentLogger });
    refill = new Refill(database, {
      ...{ stores: [store], sampleDays: 30, isTurn: () => true },
      ...{ clock: systemClock, logger: silentLogger },
    });
  });
  afterEach(async () => {
    await refill[Symbol.asyncDispose]();
    await catalogue[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  /** Uploads the nth segment of 20 s. */
  async function upload(n: number, sessionId = 's'): Promise<void> {
    const [from, to] = [START + BigInt(n) * SEGMENT_NS, START + BigInt(n + 1) * SEGMENT_NS];
    const own = messages.filter(({ logTime }) => logTime >= from && logTime < to);
    const out = new BufferWritable();
    const writer = new McapWriter({ writable: out });
    await writer.start({ profile: 'ros2', library: 'test' });
    const schemaId = await writer.registerSchema(schema);
    const ids = new Map<string, number>();
    for (const topic of new Set(own.map((one) => one.topic))) {
      const head = { schemaId, topic, messageEncoding: 'cdr', metadata: new Map<string, string>() };
      ids.set(topic, await writer.registerChannel(head));
    }
    for (const { topic, logTime, data } of own)
      await writer.addMessage({
        ...{ channelId: present(ids.get(topic)), sequence: 0, logTime, publishTime: logTime, data },
      });
    await writer.end();
    const bytes = out.bytes();
    const id = newSegmentId(n + 1, randomBytes);
    const [firstLogTime, lastLogTime] = [String(own[0]?.logTime), String(own.at(-1)?.logTime)];
    const manifest: Manifest = {
      ...{ format: 'holdfast-manifest', version: 1, segment: { id, number: n + 1 }, robot: 'r1' },
      file: {
        name: `${id}.r1.mcap`,
        bytes: bytes.byteLength,
        sha256: 'a'.repeat(64),
        crc32: 1,
        compression: 'none',
      },
      key: `robot=r1/date=2023-11-14/hour=22/${id}.mcap`,
      ...{ messages: own.length, payloadBytes: own.length * 20, firstLogTime, lastLogTime, gaps: [] },
      channels: [...ids.keys()].map((topic) => ({
        ...{ topic, type: schema.name, encoding: 'cdr', schemaEncoding: 'ros2msg', latched: false },
        ...{ count: own.filter((one) => one.topic === topic).length, bytes: 20, carried: 0 },
      })),
      identity: { dataFolderId: '', machineId: 'm', bootId: '', sessionId, hostname: 'h' },
      ...{ clockSteps: [], uncleanEnd: false, sealedAt: lastLogTime },
      software: { name: 'holdfast', version: '9.9.9', node: 'v20' },
    };
    store.content.objects.set(manifestKey(manifest.key), Buffer.from(encodeManifest(manifest)));
    store.content.objects.set(manifest.key, Buffer.from(bytes));
    await catalogue.refresh();
  }

  async function look(): Promise<number> {
    await database.query("UPDATE holes SET look_at = 'epoch'");
    return refill.look();
  }

  /** Every stored sample, by tick and field. */
  async function stored(): Promise<ReadonlyMap<string, number | null>> {
    const rows = await database.query<{
      tick: number;
      at: bigint;
      topic: string;
      path: string;
      value: number | null;
    }>('SELECT tick, at, topic, path, value FROM samples s JOIN fields f ON f.id = s.field');
    for (const { tick, at } of rows) assert.equal(at, START + BigInt(tick + 1) * BigInt(TICK_NS));
    const found = new Map(rows.map((row) => [nameOf(row.tick, row), row.value]));
    assert.equal(found.size, rows.length, 'no sample twice');
    return found;
  }
  /** What the robot sampled at these ticks. */
  const measured = (from: number, to: number): ReadonlyMap<string, number | null> =>
    new Map([...truth.rows].filter(([name]) => Number.parseInt(name) >= from && Number.parseInt(name) < to));
  const sorted = (rows: ReadonlyMap<string, number | null>): readonly unknown[] =>
    [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  const hole = async (): Promise<{ state: string; filled: number; settled: string }> =>
    present((await database.query<never>('SELECT state, filled, settled::text FROM holes'))[0]);

  it('fills a hole with what the robot sampled, and a second run changes nothing', async () => {
    for (const n of [0, 1, 2]) await upload(n);
    await refill.note('r1', removed);
    const added = await look();
    const expected = measured(FIRST_TICK, FIRST_TICK + TICKS);
    assert.deepEqual(sorted(await stored()), sorted(expected));
    assert.ok([...expected.values()].includes(null), 'a topic was silent');
    assert.deepEqual(await hole(), { state: 'filled', filled: added, settled: '{[50,450)}' });
    assert.equal(added, expected.size);
    const ofHole = [removed.timeNs, removed.timeNs + BigInt(TICKS) * BigInt(TICK_NS)].map(formatTime);
    const book = new HoleBook(database);
    assert.deepEqual(await book.shown('r1'), [{ from: ofHole[0], to: ofHole[1], state: 'filled' }]);
    assert.deepEqual(await book.shown('r2'), []);
    const sums = 'SELECT count(value) AS n, (SELECT sum(count) FROM samples_1min) AS rolled FROM samples';
    const [before] = await database.query<{ n: number; rolled: number }>(sums);
    assert.equal(before?.rolled, before?.n);

    await refill.note('r1', removed);
    assert.equal(await look(), 0);
    // As if the note of what is settled had been lost.
    await database.query("UPDATE holes SET state = 'open', settled = '{}'");
    assert.equal(await look(), 0);
    assert.equal((await hole()).state, 'filled');
    assert.deepEqual(sorted(await stored()), sorted(expected));
    assert.deepEqual(await database.query(sums), [before]);
  });

  it('says nothing about times whose segment is missing, until it is uploaded', async () => {
    for (const n of [0, 2]) await upload(n);
    await refill.note('r1', removed);
    await look();
    const first = await stored();
    for (const [name, value] of first) assert.equal(value, truth.rows.get(name), name);
    const speed = [...first.keys()]
      .filter((name) => name.endsWith('/speed v'))
      .map((name) => Number.parseInt(name));
    // Before 20 s, and from the first message after 40 s on.
    assert.ok(
      speed.every((tick) => tick < 199 || tick >= 399),
      String(speed),
    );
    assert.ok(speed.length > 190, `${speed.length}`);
    assert.equal((await hole()).state, 'open');
    await upload(1);
    await look();
    assert.deepEqual(sorted(await stored()), sorted(measured(FIRST_TICK, FIRST_TICK + TICKS)));
    assert.equal((await hole()).state, 'filled');
  });

  it('fills nothing between the last message before a kill and the first of the next process', async () => {
    await upload(0, 'killed');
    await upload(1, 'next');
    await refill.note('r1', removed);
    await look();
    const rows = await stored();
    const last = messages.filter(({ logTime }) => logTime < START + SEGMENT_NS).at(-1);
    const between = Number((present(last).logTime - START) / BigInt(TICK_NS));
    assert.ok(rows.has(`${between - 1} /speed v`));
    assert.ok(!rows.has(`${between} /speed v`), 'a message may have been lost');
    assert.ok(rows.has(`${between + 1} /speed v`));
  });

  it('leaves samples that came from the robot as they are', async () => {
    for (const n of [0, 1, 2]) await upload(n);
    const ports = { clock: systemClock, logger: silentLogger };
    const history = new HistoryWriter(database, { sampleDays: 30, rollUpDays: 60 }, ports);
    let isDurable = false;
    const { fields } = truth;
    const values = Array.from({ length: 10 * fields.length }, () => 77);
    const timeNs = START + 101n * BigInt(TICK_NS);
    history.store(
      {
        ...{ robot: 'r1', run: RUN, fields, tickNs: TICK_NS, firstTick: 100, ticks: 10 },
        timeNs,
        values,
        full: false,
      },
      () => (isDurable = true),
    );
    await eventually(() => isDurable, 'samples of the robot');
    await history[Symbol.asyncDispose]();
    await refill.note('r1', removed);
    await look();
    const rows = await stored();
    const expected = new Map(measured(FIRST_TICK, FIRST_TICK + TICKS));
    for (const name of expected.keys())
      if (Number.parseInt(name) >= 100 && Number.parseInt(name) < 110) expected.set(name, 77);
    assert.deepEqual(sorted(rows), sorted(expected));
  });

  it('takes a hole that has grown again, and gives up one that is older than the history', async () => {
    for (const n of [0, 1, 2]) await upload(n);
    await refill.note('r1', { ...removed, ticks: 100 });
    await look();
    assert.equal((await hole()).state, 'filled');
    await refill.note('r1', removed);
    await refill.note('r1', { ...removed, ticks: 100 });
    await look();
    assert.deepEqual(sorted(await stored()), sorted(measured(FIRST_TICK, FIRST_TICK + TICKS)));
    await database.query('DELETE FROM holes');
    await refill.note('r1', { ...removed, timeNs: removed.timeNs - 40n * 86_400n * NS_PER_S });
    assert.equal(await look(), 0);
    assert.equal((await hole()).state, 'lost');
  });
});
