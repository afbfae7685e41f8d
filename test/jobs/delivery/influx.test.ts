import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../../src/core/logger.js';
import { InfluxDelivery } from '../../../src/stores/influx/influx-delivery.js';
import { parseInfluxOptions } from '../../../src/stores/influx/influx-options.js';
import { drainGroup, openGroup } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { perhaps } from '../../support/perhaps.js';
import { Influxdb, VictoriaMetrics, type StoredPoint } from '../../support/time-series.js';
import { eventually } from '../../../src/testing/waiting.js';
import {
  deliverySink,
  FIRST_NS,
  pointsOf,
  sealStates,
  statePayload,
  statesOf,
  type TestState,
} from './delivery-world.js';

function deliveryTo(
  server: string,
  options: Record<string, string>,
  environment: NodeJS.ProcessEnv = {},
): InfluxDelivery {
  const parsed = parseInfluxOptions(server, new Map(Object.entries(options)), (value, allowed) =>
    assert.fail(`${value}: ${allowed}`),
  );
  return new InfluxDelivery(parsed, { fileSystem: fs, environment });
}

/** What a database must hold of these states. */
function pointsOfStates(states: readonly TestState[], tags: Readonly<Record<string, string>>): StoredPoint[] {
  return (['v', 'x'] as const).flatMap((field) =>
    states.map((state) => ({
      measurement: 'demo_msgs_State',
      tags: { ...tags, topic: state.topic ?? '/r1/state', ...(field === 'x' && { unit: 'm' }) },
      ...{ field, timeNs: state.timeNs, value: state[field] },
    })),
  );
}

const inOrder = (points: readonly StoredPoint[]): string[] =>
  points
    .map(({ tags, timeNs, ...rest }) => JSON.stringify([rest, Object.entries(tags).sort(), String(timeNs)]))
    .sort();

describe('the sink of a time-series database', function () {
  this.timeout(120_000);

  describe('InfluxDB', () => {
    let server: Influxdb;
    let world: SyncWorld;
    let database: string;
    let count = 0;

    before(async function () {
      server = await Influxdb.start(this);
    });
    after(() => perhaps(server)?.[Symbol.asyncDispose]());
    beforeEach(async () => {
      world = await SyncWorld.create();
      database = `fleet ${++count}`;
      await server.ask(`CREATE DATABASE "${database}"`);
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const delivery = (token = Influxdb.token): InfluxDelivery =>
      deliveryTo(server.url, { db: database }, { HOLDFAST_INFLUX_TOKEN: token });

    it('holds the numbers that rules choose, to the nanosecond and the last bit', async () => {
      const states = statesOf(11_000);
      await sealStates(world, states, { robot: 'r 1,=', vin: '1ZZZ5A3T0RF000001' });
      const { complete } = await drainGroup(world, [deliverySink(world, delivery())]);
      assert.ok(complete);
      const tags = { robot: 'r 1,=', vin: '1ZZZ5A3T0RF000001' };
      assert.deepEqual(inOrder(await server.points(database)), inOrder(pointsOfStates(states, tags)));
    });

    it('holds each point once, however often it was written', async () => {
      const states = statesOf(20);
      await sealStates(world, states);
      await drainGroup(world, [deliverySink(world, delivery())]);
      await fs.rm(world.folder.sinks, { recursive: true });
      await fs.rm(world.folder.sync, { recursive: true });
      const { sentBytes } = await drainGroup(world, [deliverySink(world, delivery())]);
      assert.ok(sentBytes > 0, 'it was written again');
      assert.equal((await server.points(database)).length, 40);
    });

    it('leaves out carried messages and counts what cannot be decoded', async () => {
      const carried = { timeNs: FIRST_NS - 1n, x: 77, v: 77, carried: true };
      const torn = { timeNs: FIRST_NS + 5n, x: 0, v: 0, bytes: statePayload(1, 1).subarray(0, 9) };
      const states = statesOf(3);
      const said: unknown[] = [];
      const logger: Logger = Object.assign(Object.create(null) as Logger, {
        ...{ debug: () => undefined, info: () => undefined, error: () => undefined },
        warn: (message: string, facts: unknown) => said.push([message, facts]),
      });
      await sealStates(world, [carried, states[0]!, torn, ...states.slice(1)]);
      const { complete } = await drainGroup(world, [
        deliverySink(world, delivery(), pointsOf(undefined, logger)),
      ]);
      assert.ok(complete);
      assert.deepEqual(
        inOrder(await server.points(database)),
        inOrder(pointsOfStates(states, { robot: 'r1' })),
      );
      assert.match(JSON.stringify(said), /no points can be made.*\/r1\/state/);
    });

    it('waits for a server that is down, and loses nothing', async () => {
      const states = statesOf(50);
      await sealStates(world, states.slice(0, 25));
      await server.kill();
      const group = await openGroup(world, [deliverySink(world, delivery())]);
      try {
        const drained = group.drain(AbortSignal.timeout(60_000));
        await eventually(() => group.status().link === 'offline', 'the end of the link');
        await sealStates(world, states.slice(25));
        await server.run();
        assert.ok((await drained).complete);
      } finally {
        await group.close();
      }
      assert.equal((await server.points(database)).length, 100);
    });

    it('parks the segment whose points it refuses, with the reason, and takes the others', async () => {
      // Types count within a shard, which has a week.
      const conflict = `demo_msgs_State x="a text" ${FIRST_NS}`;
      const { ok } = await fetch(`${server.url}/write?db=${encodeURIComponent(database)}`, {
        ...{ method: 'POST', body: conflict, headers: { authorization: Influxdb.token } },
      });
      assert.ok(ok);
      await sealStates(world, statesOf(3));
      const others = statesOf(3, '/r1/other');
      await sealStates(world, others, { type: 'demo_msgs/msg/Other' });
      const { segments, alarms } = await drainGroup(world, [deliverySink(world, delivery())]);
      assert.deepEqual([segments.parked, segments.verified], [1, 1]);
      assert.match(alarms.map(({ message }) => message).join(), /answered 400.*field type conflict/);
      const stored = await server.points(database);
      assert.equal(stored.filter(({ measurement }) => measurement === 'demo_msgs_Other').length, 6);
    });

    it('waits for the right token, and shows none', async () => {
      await sealStates(world, statesOf(3));
      const file = join(world.folder.root, 'token');
      const wrong = `Basic ${Buffer.from('fleet:not-the-password').toString('base64')}`;
      await fs.writeFile(file, wrong);
      const group = await openGroup(world, [
        deliverySink(world, deliveryTo(server.url, { db: database, token_file: file })),
      ]);
      try {
        const drained = group.drain(AbortSignal.timeout(60_000));
        await eventually(
          () => group.status().link === 'offline' || group.status().alarms.length > 0,
          'a refusal',
        );
        const shown = JSON.stringify(group.status());
        assert.match(shown, /answered 401/);
        assert.ok(!shown.includes(wrong.slice(6)), shown);
        await fs.writeFile(file, `${Influxdb.token}\n`);
        assert.ok((await drained).complete);
      } finally {
        await group.close();
      }
      assert.equal((await server.points(database)).length, 6);
    });

    it('names the database that is missing', async () => {
      await sealStates(world, statesOf(3));
      const nowhere = deliveryTo(server.url, { db: 'nowhere' }, { HOLDFAST_INFLUX_TOKEN: Influxdb.token });
      const group = await openGroup(world, [deliverySink(world, nowhere)]);
      const end = new AbortController();
      const drained = group.drain(end.signal);
      await eventually(() => /database not found/.test(group.status().lastError ?? ''), 'the reason');
      assert.equal(group.status().segments.parked, 0);
      end.abort();
      await drained;
      await group.close();
    });
  });

  describe('VictoriaMetrics', () => {
    let server: VictoriaMetrics;
    let world: SyncWorld;

    before(async function () {
      server = await VictoriaMetrics.start(this);
    });
    after(() => perhaps(server)?.[Symbol.asyncDispose]());
    beforeEach(async () => void (world = await SyncWorld.create()));
    afterEach(() => world[Symbol.asyncDispose]());

    const targets = { one: { db: 'fleet' }, two: { bucket: 'fleet', org: 'cars' } };
    for (const [name, options] of Object.entries(targets)) {
      it(`takes points by version ${name} of the interface`, async () => {
        const states = statesOf(200, `/r1/${name}`);
        await sealStates(world, states, { type: `demo_msgs/msg/${name}` });
        const { complete } = await drainGroup(world, [deliverySink(world, deliveryTo(server.url, options))]);
        assert.ok(complete);
        const expected = states.map(({ timeNs, x }) => [Number(timeNs / 1_000_000n), x]);
        const stored = await eventually(async () => {
          const found = await server.values(`demo_msgs_${name}_x`);
          return found.length === states.length ? found : undefined;
        }, 'the points');
        const near = stored.map(([timeMs, value], i) => [
          timeMs,
          Math.abs(value - states[i]!.x) < 1e-9 ? states[i]!.x : value,
        ]);
        assert.deepEqual(near, expected);
      });
    }
  });
});
