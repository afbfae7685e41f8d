import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import { McapWriter } from '@mcap/core';
import { VehicleLogger } from '../../src/logger/entry.js';
import { parseExportOptions } from '../../src/jobs/export/parse-export-options.js';
import type { ConfigFault } from '../../src/settings/fault.js';
import { packageRoot } from '../../src/host/version.js';
import { BufferWritable } from '../support/test-mcap.js';
import { exportTo } from '../jobs/export/export-support.js';
import { LoggerPlace, patient, pose } from './logger-support.js';

const files = (id: string): string[] => [
  `telemetry_vehicle_${id}.csv`,
  `received_fleet_estimations_vehicle_${id}.csv`,
  `received_local_estimations_vehicle_${id}.csv`,
];

describe('export --preset vehicle', function () {
  this.timeout(300_000);
  let place: LoggerPlace;
  beforeEach(async () => {
    place = await LoggerPlace.make();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  it('gives the very bytes that the logger wrote as CSV', async () => {
    const loggers = [3, 'lead'].map(
      (vehicleId) => new VehicleLogger({ vehicleId, dir: place.csv, wal: place.wal, ...patient }),
    );
    const odd = [0, -0, NaN, Infinity, -Infinity, 1e21, 1e-7, 0.1 + 0.2, Number.MIN_VALUE, 2 ** 53];
    for (const log of loggers) {
      const other = log.channel('other', { a: 'float64' });
      for (let i = 0; i < 200; i++) {
        const x = odd[i % odd.length]!;
        const state = ['drive', '', 'a "b", c', ' spaces ', 'line\nbreak', 'grün'][i % 6]!;
        assert.ok(log.logTelemetry({ timestamp: i / 7, ...pose, x, state, brake: x }));
        const states = Array.from({ length: i % 4 }, (_, k) => ({ ...pose, vehicleId: k, y: x }));
        assert.ok(log.logFleetEstimation(`v,${i}`, x, states));
        assert.ok(log.logLocalEstimation(i, i, { ...pose, v: x }));
        log.log(other, { a: x });
      }
    }
    for (const log of loggers) assert.equal((await log.close()).dropped, 0);
    const to = join(place.root, 'exported');
    const { ok, manifest } = await exportTo(place.wal.data, to, { format: 'csv', preset: 'vehicle' });
    assert.ok(ok);
    const all = [...files('3'), ...files('lead')].sort();
    assert.deepEqual(
      manifest.files.map(({ path }) => path),
      all,
    );
    for (const name of all) {
      const [written, exported] = await Promise.all(
        [place.csv, to].map((folder) => fs.readFile(join(folder, name))),
      );
      assert.ok(written && exported);
      assert.ok(written.length > 1_000 && written.equals(exported), name);
    }
    const fleet = manifest.files.find(({ path }) => path === 'received_fleet_estimations_vehicle_3.csv');
    assert.equal(fleet?.rows, 300);
  });

  it('guards formulas in both alike, if asked to', async () => {
    const csv = { guardFormulas: true };
    const log = new VehicleLogger({ vehicleId: 3, dir: place.csv, wal: place.wal, csv, ...patient });
    const states = ['=HYPERLINK("http://x")', '+1', '-1', '@SUM(A1)', '\tx', 'drive'];
    for (const [i, state] of states.entries())
      assert.ok(log.logTelemetry({ timestamp: i, ...pose, v: -3, state }));
    await log.close();
    const rows = await place.rows('telemetry_vehicle_3.csv');
    assert.deepEqual(
      rows.map((row) => row.slice(row.indexOf('NaN,NaN,NaN,NaN,NaN,NaN,NaN,') + 28)),
      [`"'=HYPERLINK(""http://x"")"`, `'+1`, `'-1`, `'@SUM(A1)`, `'\tx`, 'drive'],
    );
    assert.match(rows[0]!, /,-3,NaN/);
    const to = join(place.root, 'exported');
    await exportTo(place.wal.data, to, { format: 'csv', preset: 'vehicle', guardFormulas: true });
    assert.deepEqual(await place.rows('telemetry_vehicle_3.csv', to), rows);
  });

  it('takes what anybody published as topics of these types', async () => {
    const from = join(place.root, 'topics.mcap');
    await fs.writeFile(from, await published());
    const to = join(place.root, 'exported');
    const { ok } = await exportTo(from, to, { format: 'csv', preset: 'vehicle' });
    assert.ok(ok);
    assert.deepEqual((await fs.readdir(to)).sort(), [
      'manifest.json',
      'received_fleet_estimations_vehicle_qcar-1.csv',
      'telemetry_vehicle_7.csv',
    ]);
    assert.deepEqual(await place.rows('received_fleet_estimations_vehicle_qcar-1.csv', to), [
      '2.5,12.000000034,2,0,1,2,3,4',
      '2.5,12.000000034,2,1,5,6,7,8',
    ]);
    assert.deepEqual(await place.rows('telemetry_vehicle_7.csv', to), ['1,2,3,4,5,0,0,0,0,0,0,0,stop']);
  });

  it('fixes its own options, and refuses others', () => {
    for (const [given, path] of [
      [{ format: 'parquet', preset: 'vehicle' }, 'preset'],
      [{ format: 'csv', preset: 'plane' }, 'preset'],
      [{ format: 'csv', preset: 'vehicle', layout: '{robot}/{topic}' }, 'layout'],
      [{ format: 'csv', preset: 'vehicle', types: ['a'] }, 'types'],
      [{ format: 'csv', preset: 'vehicle', explode: 'states' }, 'explode'],
    ] as const) {
      const faults: ConfigFault[] = [];
      assert.equal(parseExportOptions(given, faults), undefined);
      assert.deepEqual(
        faults.map((fault) => fault.path),
        [path],
      );
    }
  });
});

/** Messages of two robots by other means: the .msg files, another library's writer. */
async function published(): Promise<Uint8Array> {
  const text = (name: string): string => readFileSync(join(packageRoot, 'msg', `${name}.msg`), 'utf8');
  const part = (name: string, body: string): string => `${'='.repeat(80)}\nMSG: ${name}\n${body}`;
  const fleet = [
    text('FleetEstimation'),
    part('builtin_interfaces/Time', 'int32 sec\nuint32 nanosec\n'),
    part('holdfast/VehicleState', text('VehicleState')),
  ].join('\n');
  const writable = new BufferWritable();
  const writer = new McapWriter({ writable });
  await writer.start({ profile: 'ros2', library: 'test' });
  const state = (vehicle_id: string, x: number) => ({ vehicle_id, x, y: x + 1, theta: x + 2, v: x + 3 });
  const messages: [topic: string, type: string, definition: string, value: unknown][] = [
    [
      '/vehicle_7/state',
      'holdfast/msg/VehicleTelemetry',
      text('VehicleTelemetry'),
      { timestamp: 1, x: 2, y: 3, theta: 4, v: 5, state: 'stop' },
    ],
    [
      '/qcar-1/from_others',
      'holdfast/msg/FleetEstimation',
      fleet,
      {
        timestamp: 2.5,
        receive_time: { sec: 12, nsec: 34, nanosec: 34 },
        sender_id: '2',
        states: [state('0', 1), state('1', 5)],
      },
    ],
    ['/vehicle_7/text', 'std_msgs/msg/String', 'string data\n', { data: 'not exported' }],
  ];
  for (const [topic, name, definition, value] of messages) {
    const schemaId = await writer.registerSchema({
      name,
      encoding: 'ros2msg',
      data: Buffer.from(definition),
    });
    const channelId = await writer.registerChannel({
      topic,
      schemaId,
      messageEncoding: 'cdr',
      metadata: new Map(),
    });
    const data = new MessageWriter(parse(definition, { ros2: true })).writeMessage(value);
    await writer.addMessage({ channelId, sequence: 0, logTime: 5n, publishTime: 5n, data });
  }
  await writer.end();
  return writable.bytes();
}
