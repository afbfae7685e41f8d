import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { FileHandle } from '../../../src/core/file-system.js';
import type { Gap } from '../../../src/core/gap.js';
import type { Message } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import type { Source } from '../../../src/core/source.js';
import { packageRoot } from '../../../src/host/version.js';
import { createCsvSource } from '../../../src/sources/csv/csv-source.js';
import { logLines, MAX_LINE_BYTES } from '../../../src/sources/csv/log-lines.js';
import { checkDigit } from '../../../src/sources/csv/vin.js';
import { messageSchema } from '../../../src/core/ros/message-schema.js';
import { vehicleTelemetry } from '../../../src/core/ros/vehicle-messages.js';
import { driveElectric } from '../../../src/simulation/electric-drive.js';
import { driveAsCsv, driveOnRoad } from '../../../src/simulation/road-drive.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { sourceContract } from '../../../src/testing/source-contract.js';
import { Probe, recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';
import { decode } from './decode-message.js';
import { TestClock } from '../../support/test-clock.js';

const drivesFolder = join(packageRoot, 'config', 'drives');
const csv = (uri: string): Promise<Source> => createCsvSource(parseSourceUri(uri), { fs, drivesFolder });

let folder = '';
let files = 0;
before(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-csv-'));
});
after(() => fs.rm(folder, { recursive: true, force: true }));

/** A file with this content; gives its path. */
async function file(content: string | Uint8Array): Promise<string> {
  const path = join(folder, `file${files++}`);
  await fs.writeFile(path, content);
  return path;
}

const HEADER = 'time_s,speed_kmh,heading_deg';
const rows = (count: number): string =>
  Array.from({ length: count }, (_, i) => `${(i / 50).toFixed(2)},${36 + i},90\n`).join('');

sourceContract('The replay of a log', {
  healthy: async () => ({
    source: await csv(`csv:${await file(`${HEADER}\n${rows(30)}`)}?vehicles=2&speed=max`),
    // Telemetry and odometry of each row, and one number of each vehicle.
    messageCount: 2 * (30 * 2 + 1),
  }),
  damaged: async () => ({
    source: await csv(`csv:${await file(`${HEADER}\n1,2,3\nbad\n${rows(30)}`)}?vehicles=2&speed=max`),
  }),
  hopeless: async () => ({ source: await csv(`csv:${join(folder, 'none.csv')}`), code: 'SOURCE_UNREADABLE' }),
});

sourceContract('The replay of a log for ever', {
  healthy: async () => ({
    source: await csv(`csv:${await file(`${HEADER}\n${rows(30)}`)}?loop=true&speed=20x`),
  }),
});

describe('The replay of a drive log', function () {
  this.timeout(30_000);

  async function replay(uri: string, options: ConstructorParameters<typeof Probe>[1] = {}): Promise<Probe> {
    return new Probe(await csv(uri), options).end();
  }
  const gapsOf = (probe: Probe): Omit<Gap, 'id'>[] =>
    probe.events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));
  const on = (probe: Probe, topic: string): Message[] =>
    probe.messages.filter(({ channel }) => channel.topic === topic);
  const telemetry = (probe: Probe, vehicle = 'vehicle1'): Record<string, number>[] =>
    on(probe, `/${vehicle}/telemetry`).map((message) => decode(message) as Record<string, number>);
  const faultsOf = async (uri: string): Promise<string> => {
    const error: unknown = await csv(uri).then(
      () => assert.fail(`${uri} was accepted`),
      (reason: unknown) => reason,
    );
    assert.ok(isHoldfastError(error, 'CONFIG_INVALID'), String(error));
    return error.message;
  };

  it('converts every unit of its columns, by their names or by a map', async () => {
    const log = await file(
      'stamp;v;Lenkwinkel;a;T;Lat;Lon;rpm x\n1790000000123456;10,5;-90;0,5;212;47,5;8,25;2000\n',
    );
    const map = await file(`
delimiter: ';'
decimal: ','
columns:
  stamp: { field: time, unit: us }
  v: { field: speed, unit: mph }
  Lenkwinkel: { field: steering, unit: deg }
  a: { field: acceleration, unit: g }
  T: { field: temperature, unit: °F }
  Lat: latitude
  Lon: { field: longitude }
  rpm x: { signal: shaft, scale: 2, offset: 1 }
`);
    const probe = await replay(`csv:${log}?map=${map}&speed=max&start=log`);
    const [sample] = telemetry(probe);
    assert.ok(sample);
    assert.ok(Math.abs(sample['v']! - 10.5 * 0.44704) < 1e-12);
    assert.ok(Math.abs(sample['steering']! + Math.PI / 2) < 1e-12);
    assert.ok(Math.abs(sample['acceleration']! - 0.5 * 9.80665) < 1e-12);
    const [signals] = on(probe, '/vehicle1/signals');
    assert.ok(signals);
    const values = JSON.parse(Buffer.from(signals.data).toString()) as Record<string, number>;
    assert.deepEqual(
      { ...values, temperature: Math.round(values['temperature']! * 1e9) / 1e9 },
      { temperature: 100, shaft: 4001 },
    );
    assert.equal(signals.receivedAt, 1_790_000_000_123_456_000n);
    const named = await file('Time [ms],Speed (km/h),"heading (°)",Temperature [°F]\n1000,36,90,32\n');
    const other = await replay(`csv:${named}?speed=max`);
    assert.ok(Math.abs(telemetry(other)[0]!['v']! - 10) < 1e-9);
    assert.ok(Math.abs(telemetry(other)[0]!['theta']!) < 1e-9);
    const others = JSON.parse(Buffer.from(on(other, '/vehicle1/signals')[0]!.data).toString()) as unknown;
    assert.deepEqual(others, { temperature: 0 });
  });

  it('describes telemetry as msg/VehicleTelemetry.msg and holdfast/logger do', async () => {
    const probe = await replay(`csv:${await file(`${HEADER}\n${rows(1)}`)}?speed=max`);
    const { schema } = on(probe, '/vehicle1/telemetry')[0]!.channel;
    const text = await fs.readFile(join(packageRoot, 'msg', 'VehicleTelemetry.msg'), 'utf8');
    assert.equal(new TextDecoder().decode(schema.data).trim(), text.trim());
    assert.deepEqual({ ...schema, data: undefined }, { ...messageSchema(vehicleTelemetry), data: undefined });
    assert.deepEqual(Buffer.from(schema.data), Buffer.from(messageSchema(vehicleTelemetry).data));
  });

  it('reads times in every unit to the last digit', async () => {
    const times: readonly (readonly [string, string])[] = [
      ['s', '1790000000.123456789'],
      ['ms', '1790000000123.456789'],
      ['us', '1790000000123456.789'],
      ['ns', '1790000000123456789'],
      ['iso', '2026-09-21T14:13:20.123456789Z'],
      ['iso', '2026-09-21 16:13:20.123456789+02:00'],
    ];
    for (const [unit, text] of times) {
      const log = await file(`time_${unit},speed\n${text},1\n`);
      const probe = await replay(`csv:${log}?speed=max&start=log`);
      assert.equal(probe.messages[0]!.receivedAt, 1_790_000_000_123_456_789n, `${unit} ${text}`);
    }
  });

  it('counts each bad row with its line and continues', async () => {
    const good = '1,2,3\n';
    const long = `${'9'.repeat(3 * MAX_LINE_BYTES)}\n`;
    const bad = ['1,2\n', '1,2,3,4\n', 'x,2,3\n', '1,2,fast\n', '1,"2,3\n', '1,2"2,3\n', '1,2,1e999\n', long];
    const text = `\ufeff${HEADER}\r\n${bad.map((line) => good + line).join('')}\r\n1,"2",3`;
    const probe = await replay(`csv:${await file(text)}?speed=max`);
    const gaps = gapsOf(probe);
    assert.deepEqual(
      gaps.map(({ detail }) => /^line (\d+):/.exec(detail ?? '')?.[1]),
      bad.map((_, i) => String(3 + 2 * i)),
    );
    assert.ok(gaps.every(({ reason, robot }) => reason === 'source_unreadable' && robot === 'vehicle1'));
    // A row is one message of telemetry and one of odometry.
    assert.ok(gaps.every(({ count }) => count === 2));
    assert.equal(telemetry(probe).length, bad.length + 1);
    assert.ok(present(present(gaps.at(-1)).bytes) >= 3 * MAX_LINE_BYTES);
  });

  it('reports consecutive bad rows as one gap, and bounds the gaps of a file with only bad rows', async () => {
    const run = await replay(
      `csv:${await file(`${HEADER}\n1,2,3\n${'bad\n'.repeat(500)}2,2,3\n`)}?speed=max`,
    );
    assert.deepEqual(
      gapsOf(run).map(({ count }) => count),
      [1_000],
    );
    assert.match(
      present(gapsOf(run)[0]!.detail),
      /^500 rows of lines 3 to 502; line 3: 1 columns instead of 3/,
    );
    const alternating = await replay(
      `csv:${await file(`${HEADER}\n${'1,2,3\nbad\n'.repeat(3_000)}`)}?speed=max`,
    );
    assert.ok(gapsOf(alternating).length <= 1_001);
    assert.equal(
      gapsOf(alternating).reduce((sum, { count = 0 }) => sum + count, 0),
      6_000,
    );
  });

  it('takes an empty value for a missing one: no fix in the tunnel, the rest continues', async () => {
    const log = await file('time_s,latitude_deg,longitude_deg,speed\n0,47,8,1\n1,,,1\n2,nan,8,1\n3,47,8,\n');
    const probe = await replay(`csv:${log}?speed=max`);
    const fixes = on(probe, '/vehicle1/gps/fix').map(
      (message) => decode(message) as { status: { status: number } },
    );
    assert.deepEqual(
      fixes.map(({ status }) => status.status),
      [0, -1, -1, 0],
    );
    assert.ok(Number.isNaN(telemetry(probe)[3]!['v']));
  });

  it('gives every vehicle a number, an offset and a variation of its own, the same for the same seed', async () => {
    const log = await file(`${HEADER},latitude,longitude\n${rows(20).replaceAll(',90\n', ',90,47,8\n')}`);
    const uri = `csv:${log}?vehicles=3&speed=max&time_offset=10s&position_offset=5&start=2026-01-01T00:00:00Z`;
    const probe = await replay(uri);
    const vins = on(probe, '/vehicle2/vin').concat(on(probe, '/vehicle1/vin'), on(probe, '/vehicle3/vin'));
    const texts = vins.map((message) => (decode(message) as { data: string }).data);
    assert.equal(new Set(texts).size, 3);
    for (const vin of texts) {
      assert.match(vin, /^[A-HJ-NPR-Z0-9]{17}$/);
      assert.equal(vin[8], checkDigit(vin));
    }
    assert.ok(vins.every(({ channel, publishedAt }) => channel.latched && publishedAt > 0n));
    const first = (vehicle: string): bigint => on(probe, `/${vehicle}/telemetry`)[0]!.publishedAt;
    assert.equal(first('vehicle3') - first('vehicle1'), 20_000_000_000n);
    assert.equal(telemetry(probe)[7]!['v'], 43 / 3.6, 'the first vehicle is the log itself');
    assert.notEqual(telemetry(probe, 'vehicle2')[7]!['v'], telemetry(probe, 'vehicle3')[7]!['v']);
    // To the east, so that right of it is south: 10 m are about 9e-5 degrees.
    const south = (vehicle: string): number =>
      47 - (decode(on(probe, `/${vehicle}/gps/fix`)[0]!) as { latitude: number }).latitude;
    assert.ok(Math.abs(south('vehicle3') - 10 / 111_320) < 3e-5);
    const bytes = (one: Probe): string =>
      one.messages.map(({ data }) => Buffer.from(data).toString('base64')).join();
    assert.equal(bytes(await replay(uri)), bytes(probe));
    assert.notEqual(bytes(await replay(`${uri}&seed=2`)), bytes(probe));
  });

  it('knows the check digit of a real number', () => {
    // The example of 49 CFR 565 in every textbook, and the one that is all ones.
    assert.equal(checkDigit('1M8GDM9AXKP042788'), 'X');
    assert.equal(checkDigit('11111111111111111'), '1');
  });

  it('replays at a rate, at a speed, and in a loop without a break', async () => {
    const log = await file(`${HEADER}\n${rows(10)}`);
    const stamps = async (query: string): Promise<number[]> => {
      const probe = await replay(`csv:${log}?speed=max&start=2026-01-01T00:00:00Z&${query}`);
      const times = on(probe, '/vehicle1/telemetry').map(({ publishedAt }) => publishedAt);
      return times.map((time) => Number(time - times[0]!) / 1e6);
    };
    assert.deepEqual(
      await stamps('rate=4'),
      Array.from({ length: 10 }, (_, i) => i * 250),
    );
    assert.deepEqual(
      await stamps('loop=3'),
      Array.from({ length: 30 }, (_, i) => i * 20),
    );
    const clock = new TestClock();
    const live = await replay(`csv:${log}?speed=2x`, { clock });
    assert.equal(clock.monotonic(), 90_000_000n, '180 ms of log at twice the speed');
    assert.equal(telemetry(live).length, 10);
  });

  it('continues if the clock of the log jumps, and reports it', async () => {
    const lines: LogLine[] = [];
    const log = await file('time_s,speed\n0,1\n1,1\n99999999,1\n99999999.5,1\n3,1\n4,1\n');
    const probe = await replay(`csv:${log}?speed=max&start=2026-01-01T00:00:00Z`, {
      logger: recordingLogger(lines),
    });
    const times = on(probe, '/vehicle1/telemetry').map(({ publishedAt }) => publishedAt);
    assert.deepEqual(
      times.map((time) => Number(time - times[0]!) / 1e9),
      [0, 1, 2, 2.5, 3, 4],
    );
    assert.deepEqual(lines.find(({ event }) => /clock/.test(event))?.fields, {
      vehicle: 'vehicle1',
      jumps: 2,
    });
  });

  it('reports all faults of a map at once', async () => {
    const log = await file('a,b,c,d,e,e2\n1,2,3,4,5,6\n');
    const map = await file(`
colums: {}
delimiter: x
columns:
  a: { field: velocity }
  b: { field: speed, unit: parsec }
  missing: { field: heading }
  c: { field: yaw_rate }
  d: { field: yaw_rate }
  e: { signal: 7 }
`);
    const message = await faultsOf(`csv:${log}?map=${map}`);
    for (const part of [
      /colums/,
      /delimiter/,
      /velocity/,
      /parsec/,
      /missing: the log has no such column/,
      /yaw_rate is column c already/,
      /signal: 7/,
    ]) {
      assert.match(message, part);
    }
    const broken = await file('columns: [\n');
    assert.match(await faultsOf(`csv:${log}?map=${broken}`), /no YAML/);
    assert.match(await faultsOf(`csv:${log}?map=${join(folder, 'none')}`), /cannot be read/);
    assert.match(await faultsOf(`csv:${log}`), /no column of the log is known/);
    const timeless = await file('speed\n1\n');
    assert.match(await faultsOf(`csv:${timeless}`), /rate=/);
    assert.match(await faultsOf(`csv:${timeless}?rate=5&start=log`), /start=log/);
    assert.match(
      await faultsOf(`csv:${log}?vehicles=0&loop=x&speed=0x&rate=-1&unknown=1`),
      /vehicles.*loop/s,
    );
    assert.match(await faultsOf('csv:'), /path/);
  });

  it('errors for an empty file, a folder, and a file of one endless line', async () => {
    for (const path of [
      await file(''),
      await file('\n\n'),
      folder,
      await file('x'.repeat(2 * MAX_LINE_BYTES)),
    ]) {
      const source = await csv(`csv:${path}`);
      await assert.rejects(
        new Probe(source).end(),
        (error) => isHoldfastError(error, 'SOURCE_UNREADABLE'),
        path,
      );
    }
    const probe = await replay(`csv:${await file(`${HEADER}\n`)}?loop=true`);
    assert.equal(probe.messages.length, 0);
  });

  it('holds a chunk of a file and not the file, nor a line that never ends', async () => {
    const before = process.memoryUsage().arrayBuffers;
    let reads = 0;
    let peak = 0;
    const endless = {
      read: (chunk: Buffer, _: number, length: number) => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
        // A million rows, then 200 MB without a line end.
        chunk.fill('1,2,3\n1,2,3\n1,2,3\n1,2,3\n');
        if (reads > 100) chunk.fill('9');
        return Promise.resolve({ bytesRead: ++reads > 3_200 ? 0 : length, buffer: chunk });
      },
    } as unknown as FileHandle;
    let lines = 0;
    let longest = 0;
    for await (const some of logLines(endless, new AbortController().signal)) {
      lines += some.length;
      longest = Math.max(longest, ...some.map(({ bytes }) => bytes));
    }
    assert.ok(lines > 1_000_000);
    assert.ok(longest > 200e6);
    assert.ok(peak < 100e6, `${peak} bytes were held`);
  });

  it('bundles the drive that bin/generate-drive.mjs makes, byte for byte', async () => {
    for (const [name, rows] of [
      ['commute', driveOnRoad(1)],
      ['electric', driveElectric(1)],
    ] as const) {
      const text = await fs.readFile(join(drivesFolder, `${name}.csv`), 'utf8');
      assert.equal(text, [...driveAsCsv(rows)].join(''));
    }
  });

  it('replays the bundled drive: stop and go, highway and tunnel, without a bad row', async () => {
    const probe = await replay('csv:bundled?speed=max');
    assert.deepEqual(gapsOf(probe), []);
    const samples = telemetry(probe) as unknown as { state: string; v: number; acceleration: number }[];
    const states = new Set(samples.map(({ state }) => state));
    for (const state of ['stop_and_go', 'highway', 'tunnel', 'standing']) assert.ok(states.has(state), state);
    assert.ok(Math.max(...samples.map(({ v }) => v)) > 30);
    const stops = samples.filter(
      ({ v, state }, i) => state === 'stop_and_go' && v === 0 && samples[i - 1]!.v > 0,
    );
    assert.ok(stops.length >= 3, `${stops.length} stops in the jam`);
    assert.ok(samples.every(({ acceleration }) => Math.abs(acceleration) < 4.5));
    const fixes = on(probe, '/vehicle1/gps/fix').map(
      (message) => decode(message) as { status: { status: number } },
    );
    fixes.forEach(({ status }, i) => {
      if (samples[i]!.state === 'tunnel' && samples[i - 1]!.state === 'tunnel')
        assert.equal(status.status, -1);
    });
  });
});
