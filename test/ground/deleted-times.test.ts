import assert from 'node:assert/strict';
import { formatTime, NS_PER_MS, NS_PER_S } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { deleteRecords } from '../../src/ground/delete-records.js';
import { DeletedTimes } from '../../src/ground/deleted-times.js';
import { FleetTable } from '../../src/ground/fleet-table.js';
import type { KnownRobot } from '../../src/ground/known-robot.js';
import { RobotState } from '../../src/ground/robot-state.js';
import type { HistoryDeletion } from '../../src/ground/history/delete-history.js';
import { systemClock } from '../../src/host/system-clock.js';
import { eventually } from '../../src/testing/waiting.js';
import type { FieldSpec } from '../../src/uplink/protocol/field-spec.js';
import type { RobotReport } from '../../src/uplink/protocol/robot-report.js';
import type { TelemetryDecoder } from '../../src/uplink/protocol/telemetry-decoder.js';
import { SimulatedClock } from '../support/simulated-clock.js';
import { onEveryPostgres } from './database/database-world.js';

const FROM = 1_700_000_000_000_000_000n;
const TO = FROM + 60n * NS_PER_S;
const [BEFORE, INSIDE, AFTER] = [FROM - NS_PER_S, FROM + NS_PER_S, TO + NS_PER_S];
const deletion: HistoryDeletion = {
  ...{ robot: 'r1', from: FROM, to: TO, plan: '0123456789abcdef', who: 'ada', reason: 'request 12' },
};
const TICK_NS = 1_000_000_000;

const alertAt = (timeNs: bigint): KnownRobot['alerts'][number] => ({
  ...{
    id: `alert-${timeNs}`,
    severity: 'warning',
    summary: 'something',
    sinceMs: Number(timeNs / NS_PER_MS),
  },
});

/** A robot that was heard long after the deleted time. */
function known(positionNs: bigint, reportedAtNs: bigint, over: Partial<KnownRobot> = {}): KnownRobot {
  return {
    ...{ robot: 'r1', vin: '', version: '0.2.0', heardAtNs: AFTER + 3_600n * NS_PER_S, reportedAtNs },
    ...{ status: { state: 'recording', lastError: 'visitor at gate nine' }, clockBehindS: null },
    alerts: [alertAt(BEFORE), alertAt(INSIDE)],
    position: { latitude: 47.5, longitude: 8.5, at: formatTime(positionNs), topic: '/gps' },
    ...over,
  };
}

const segment = (number: number, first: bigint, last: bigint): RobotReport['segments'][number] => ({
  ...{ segment: `${String(number).padStart(12, '0')}-${'ab'.repeat(16)}`, state: 'sealed' },
  ...{ bytes: 1, messages: 1, gaps: 0, sealedAt: String(last) },
  ...{ firstLogTime: String(first), lastLogTime: String(last) },
});
const event = (number: number, at: bigint): RobotReport['events'][number] => ({
  ...{
    id: String(number).padStart(32, '0'),
    label: 'visitor',
    at: String(at),
    from: String(at),
    to: String(at),
  },
});

onEveryPostgres('A deleted time of a robot', (server) => {
  let database: Database;
  let table: FleetTable;

  beforeEach(async () => {
    database = await server().connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    table = new FleetTable(database);
  });
  afterEach(() => database[Symbol.asyncDispose]());

  const remove = (over: Partial<HistoryDeletion> = {}): Promise<unknown> =>
    deleteRecords(database, { ...deletion, ...over }, systemClock.now());

  it('loses its position, status and alerts in the database, and the robot stays', async () => {
    const inside = known(INSIDE, INSIDE);
    await table.save([inside, { ...inside, robot: 'r2' }]);
    await remove();
    assert.deepEqual(await table.load(), [
      { ...inside, status: null, alerts: [], position: null },
      { ...inside, robot: 'r2' },
    ]);
    const [row] = await database.query<{ text: string }>(
      "SELECT f::text AS text FROM fleet f WHERE robot = 'r1'",
    );
    assert.doesNotMatch(String(row?.text), /47\.5|visitor/);
  });

  it('loses nothing that was said outside of it, and without times of its own what was heard in it', async () => {
    const outside = known(BEFORE, AFTER);
    const { at: _, ...old } = { ...outside.position, at: '' } as NonNullable<KnownRobot['position']>;
    await table.save([outside]);
    await remove();
    assert.deepEqual(await table.load(), [{ ...outside, alerts: [alertAt(BEFORE)] }]);
    const heard = { ...outside, position: old, heardAtNs: outside.heardAtNs + NS_PER_S };
    await table.save([heard]);
    await remove();
    assert.deepEqual((await table.load())[0]?.position, old);
    await remove({ plan: 'f'.repeat(16), from: heard.heardAtNs - 1_000n, to: heard.heardAtNs });
    assert.deepEqual((await table.load())[0]?.position, null);
  });

  it('loses only the position if its topic is named', async () => {
    const inside = known(INSIDE, INSIDE);
    await table.save([inside]);
    await remove({ topics: ['/odom'] });
    assert.deepEqual(await table.load(), [inside]);
    await remove({ plan: 'f'.repeat(16), topics: ['/g*s'] });
    assert.deepEqual(await table.load(), [{ ...inside, position: null }]);
  });

  it('is not shown from memory, at once here and within 5 s in another process', async () => {
    const clock = new SimulatedClock();
    using here = await DeletedTimes.open(database, { clock: systemClock, logger: silentLogger });
    using there = await DeletedTimes.open(database, { clock, logger: silentLogger });
    const states = [here, there].map((times) => RobotState.of(known(INSIDE, INSIDE), () => times.of('r1')));
    const shown = (at: number): readonly unknown[] => {
      const { status, alerts, position } = states[at]!.row();
      return [status?.state, alerts.length, position?.latitude];
    };
    assert.deepEqual(
      [shown(0), shown(1)],
      [
        ['recording', 2, 47.5],
        ['recording', 2, 47.5],
      ],
    );
    await deleteRecords(database, deletion, systemClock.now(), () => here.refresh());
    assert.deepEqual(
      [shown(0), shown(1)],
      [
        [undefined, 0, undefined],
        ['recording', 2, 47.5],
      ],
    );
    await clock.advance(5_000);
    await eventually(() => shown(1)[0] === undefined, 'the other process');
    assert.deepEqual(shown(1), [undefined, 0, undefined]);
    assert.deepEqual(states[0]!.known(), {
      ...known(INSIDE, INSIDE),
      status: null,
      alerts: [],
      position: null,
    });
    assert.deepEqual(RobotState.of(known(AFTER, AFTER), () => here.of('r2')).row().alerts.length, 2);
  });

  it('is not shown if a connected robot tells it again, and later values are', async () => {
    await remove();
    using times = await DeletedTimes.open(database, { clock: systemClock, logger: silentLogger });
    const state = new RobotState('r1', () => times.of('r1'));
    const field = (path: string, topic = '/gps'): FieldSpec => ({
      ...{ topic, path, unit: 'deg', threshold: 1, quantum: 1, everyTicks: 1, predictor: 'hold' },
    });
    const fields = [field('latitude'), field('longitude')];
    // Measured a second after the begin of the time, and so long after its end.
    const ticks = [0, 0];
    const decoder = { field: (index: number) => ({ kind: 'known', value: 5, tick: ticks[index] }) };
    state.begin(decoder as unknown as TelemetryDecoder);
    const catalogue = { fields, tickNs: TICK_NS } as unknown as Parameters<
      RobotState['took']
    >[0]['catalogue'];
    const values = new Float64Array([5, 5]);
    state.took({ catalogue, firstTick: 0, ticks: 1, timeNs: INSIDE, values, full: true } as Parameters<
      RobotState['took']
    >[0]);
    assert.deepEqual(
      state.view().fields.map(({ state: kind, value }) => [kind, value]),
      [
        ['unknown', null],
        ['unknown', null],
      ],
    );
    assert.equal(state.row().position, null);
    ticks.fill(100);
    state.took({
      catalogue,
      firstTick: 100,
      ticks: 1,
      timeNs: INSIDE + 100n * NS_PER_S,
      values,
      full: true,
    } as Parameters<RobotState['took']>[0]);
    assert.deepEqual(state.row().position, { latitude: 5, longitude: 5 });

    const report: RobotReport = {
      ...{ epoch: 1, sequence: 1, complete: true, unknown: [], figures: { state: 'recording' } },
      ...{ alerts: [], tags: { mission: 'm1' } },
      segments: [segment(1, BEFORE, INSIDE), segment(2, INSIDE, INSIDE), segment(3, INSIDE, AFTER)],
      events: [event(1, BEFORE), event(2, INSIDE), event(3, AFTER)],
    };
    state.reported.apply(report, INSIDE);
    const detail = state.detail();
    assert.deepEqual([detail.status, detail.tags], [null, null]);
    assert.deepEqual(
      detail.segments.map(({ segment: id }) => Number(id.slice(0, 12))),
      [1, 3],
    );
    assert.deepEqual(
      detail.events.map(({ id }) => Number(id)),
      [1, 3],
    );
    state.reported.apply({ ...report, sequence: 2 }, AFTER);
    assert.deepEqual(state.view().status, { state: 'recording' });
  });
});
