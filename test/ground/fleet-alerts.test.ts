import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '../../src/core/logger.js';
import { defaultBacklogLimits } from '../../src/ground/backlog-trend.js';
import { FleetAlerts } from '../../src/ground/fleet-alerts.js';
import type { FleetRow } from '../../src/ground/fleet-row.js';
import { systemClock } from '../../src/host/system-clock.js';
import { Webhook } from '../../src/monitors/alerts/webhook.js';
import { eventually } from '../../src/testing/waiting.js';
import { SimulatedClock } from '../support/simulated-clock.js';

const START_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

const row: FleetRow = {
  ...{ robot: 'robot_7', vin: '', version: '', connected: true, heardMs: START_MS },
  status: { state: 'recording', pendingBytes: 0, dropped: 5, diskFreeBytes: 1e9, lostSegments: 0 },
  ...{ unsyncedSinceMs: null, alerts: [], position: null, fields: { known: 0, absent: 0, unknown: 0 } },
};

describe('The alerts of a ground', () => {
  let clock: SimulatedClock;
  let rows: readonly FleetRow[];
  let told: string[];
  let alerts: FleetAlerts;
  beforeEach(() => {
    clock = new SimulatedClock();
    clock.nowMs = START_MS;
    rows = [row, { ...row, robot: 'robot_8' }];
    told = [];
    const tell = (robot: string, { id, raised }: { id: string; raised: boolean }): void => {
      told.push(`${robot} ${id} ${raised ? 'raised' : 'cleared'}`);
    };
    alerts = new FleetAlerts(() => rows, tell, {
      clock,
      logger: silentLogger,
      backlog: defaultBacklogLimits,
    });
  });
  afterEach(() => alerts[Symbol.dispose]());

  /** The ground looks again and again. */
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5_000) await clock.advance(5_000);
  }

  function become(change: Partial<FleetRow>): void {
    rows = [
      { ...row, ...change },
      { ...row, robot: 'robot_8' },
    ];
  }

  const cases: Record<string, [Partial<FleetRow>, number, string]> = {
    'is silent for two minutes': [{ connected: false }, 130_000, 'robot_silent'],
    'has data that waits for an hour': [
      {
        status: {
          ...{ state: 'recording', pendingBytes: 1e9, dropped: 5, diskFreeBytes: 1e9, lostSegments: 0 },
        },
        unsyncedSinceMs: START_MS - 2 * HOUR_MS,
      },
      10_000,
      'backlog_old',
    ],
    'will soon have a full disk': [
      { status: { pendingBytes: 0, dropped: 5, diskFreeBytes: 1e9, diskTimeToFullMs: 1e6, lostSegments: 0 } },
      20_000,
      'disk_time_to_full',
    ],
    'drops messages': [
      { status: { pendingBytes: 0, dropped: 6, diskFreeBytes: 1e9, lostSegments: 0 } },
      10_000,
      'drops',
    ],
    'has lost a segment': [
      { status: { pendingBytes: 0, dropped: 5, diskFreeBytes: 1e9, lostSegments: 1 } },
      10_000,
      'segment_lost',
    ],
  };
  for (const [what, [change, afterMs, id]] of Object.entries(cases)) {
    it(`name a robot that ${what}, once, and say when that is over`, async () => {
      await pass(10_000);
      assert.deepEqual(told, []);
      become(change);
      await pass(afterMs);
      assert.deepEqual(told, [`robot_7 ${id} raised`]);
      become({});
      await pass(300_000);
      assert.deepEqual(told, [`robot_7 ${id} raised`, `robot_7 ${id} cleared`]);
    });
  }

  /** The robot says every minute how much waits. */
  async function wait(megabytes: readonly number[]): Promise<void> {
    const status = { state: 'recording', dropped: 5, diskFreeBytes: 1e9, lostSegments: 0 };
    for (const one of megabytes) {
      become({ status: { ...status, pendingBytes: one * 1e6 }, unsyncedSinceMs: clock.nowMs });
      await pass(60_000);
    }
  }
  const minutes = (count: number, value: (minute: number) => number): number[] =>
    Array.from({ length: count }, (_, minute) => value(minute));

  it('name a robot that records more than it uploads, until its backlog no longer grows', async () => {
    await wait(minutes(31, (minute) => (minute % 3) * 100));
    assert.deepEqual(told, [], 'it rises and falls');
    await wait(minutes(20, () => 5_000));
    assert.deepEqual(told, [], 'it rose once');
    await wait(minutes(9, (minute) => 5_000 + 5 * minute));
    assert.deepEqual(told, [], 'it grows by less than the limit');
    await wait(minutes(15, (minute) => 5_045 + 20 * minute + (minute % 2) * 50));
    assert.deepEqual(told, ['robot_7 backlog_growing raised']);
    become({ connected: false, heardMs: clock.nowMs });
    await pass(60_000);
    assert.deepEqual(told, ['robot_7 backlog_growing raised']);
    await wait(minutes(20, (minute) => 5_400 - 20 * minute));
    assert.deepEqual(told, ['robot_7 backlog_growing raised', 'robot_7 backlog_growing cleared']);
  });

  it('keep the state of what is unknown while a robot is silent', async () => {
    become({ status: { pendingBytes: 0, dropped: 5, diskFreeBytes: 1e9, lostSegments: 1 } });
    await pass(10_000);
    become({ connected: false });
    await pass(60_000);
    assert.deepEqual(told, ['robot_7 segment_lost raised']);
  });

  it('reach a web address with the name of the robot', async () => {
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        bodies.push(body);
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    {
      await using webhook = new Webhook(url, { clock: systemClock, logger: silentLogger, fetch });
      using _watching = new FleetAlerts(
        () => rows,
        (robot, alert) => webhook.tell({ source: 'holdfast', host: 'ground', robots: [robot], alert }),
        { clock, logger: silentLogger, backlog: defaultBacklogLimits },
      );
      become({ status: { pendingBytes: 0, dropped: 5, diskFreeBytes: 1e9, lostSegments: 1 } });
      await pass(10_000);
      await eventually(() => bodies.length === 1, 'the post');
    }
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const { robots, alert } = JSON.parse(bodies[0] ?? '') as { robots: string[]; alert: { id: string } };
    assert.deepEqual([robots, alert.id], [['robot_7'], 'segment_lost']);
  });
});
