import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { packageRoot } from '../../../src/host/version.js';
import { createCsvSource } from '../../../src/sources/csv/csv-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { Probe } from '../../../src/testing/source-probe.js';
import { decode } from './decode-message.js';

const drivesFolder = join(packageRoot, 'config', 'drives');
const BATTERY_J = 58 * 3.6e6;

interface Energy {
  readonly timestamp: number;
  readonly power: number;
  readonly charge: number;
  readonly consumption: number;
}

interface Odometry {
  readonly pose: { readonly pose: { readonly position: { readonly x: number; readonly y: number } } };
  readonly twist: { readonly twist: { readonly linear: { readonly x: number } } };
}

async function replay(uri: string): Promise<Probe> {
  return new Probe(await createCsvSource(parseSourceUri(uri), { fs, drivesFolder })).end();
}

const decoded = (probe: Probe, topic: string): readonly unknown[] =>
  probe.messages.filter(({ channel }) => channel.topic === topic).map(decode);
const energyOf = (probe: Probe, vehicle: string): readonly Energy[] =>
  decoded(probe, `/${vehicle}/energy`) as readonly Energy[];
const odometryOf = (probe: Probe, vehicle: string): readonly Odometry[] =>
  decoded(probe, `/${vehicle}/odom`) as readonly Odometry[];
const firstOf = <T>(list: readonly T[]): NonNullable<T> => present(list[0]);
const lastOf = <T>(list: readonly T[]): NonNullable<T> => present(list.at(-1));

/** Joules taken from the battery, summed over the messages. */
function taken(energies: readonly Energy[]): number {
  return energies.reduce(
    (sum, { power, timestamp }, i) => sum + power * ((energies[i + 1]?.timestamp ?? timestamp) - timestamp),
    0,
  );
}

const secondsOf = (energies: readonly Energy[]): number =>
  lastOf(energies).timestamp - firstOf(energies).timestamp;
const usedOf = (energies: readonly Energy[]): number => firstOf(energies).charge - lastOf(energies).charge;
const near = (actual: number, wanted: number, share: number, what: string): void =>
  assert.ok(Math.abs(actual - wanted) <= share * Math.abs(wanted), `${what}: ${actual}, wanted ${wanted}`);

describe('Kinds of vehicles', function () {
  this.timeout(60_000);
  let car: readonly Energy[];
  let probe: Probe;
  before(async () => {
    const fleet = 'vehicles=3&profiles=car,van,sports_car&variation=0&position_offset=0&time_offset=0s';
    probe = await replay(`csv:electric?speed=max&${fleet}`);
    car = energyOf(probe, 'vehicle1');
  });

  it('describe their energy as msg/VehicleEnergy.msg does', async () => {
    const { schema } = present(
      probe.messages.find(({ channel }) => channel.topic === '/vehicle1/energy'),
    ).channel;
    assert.equal(schema.name, 'holdfast/msg/VehicleEnergy');
    const text = await fs.readFile(join(packageRoot, 'msg', 'VehicleEnergy.msg'), 'utf8');
    assert.equal(new TextDecoder().decode(schema.data).trim(), text.trim());
  });

  it('drive the bundled electric car at 50 Hz, and its power empties the battery', () => {
    near((car.length - 1) / secondsOf(car), 50, 1e-9, 'rows per second');
    near(taken(car), usedOf(car) * BATTERY_J, 0.01, 'joules');
    assert.ok(Math.max(...car.map(({ power }) => power)) > 80_000, 'accelerates onto the highway');
    assert.ok(Math.min(...car.map(({ power }) => power)) < -30_000, 'charges while it brakes');
  });

  it('state the consumption of the last kilometre', () => {
    const odometry = odometryOf(probe, 'vehicle1');
    const at = car.findLastIndex(({ consumption }) => !Number.isNaN(consumption));
    let [metres, from] = [0, at];
    for (; from > 0 && metres < 1_000; from--) metres += odometry[from]!.twist.twist.linear.x * 0.02;
    near(car[at]!.consumption, taken(car.slice(from, at + 1)) / metres, 0.05, 'joules per metre');
    assert.ok(Number.isNaN(firstOf(car).consumption), 'unknown before the first metres');
  });

  for (const [vehicle, pace, power, capacity] of [
    ['vehicle2', 0.93, 1.55, 1.2],
    ['vehicle3', 1.06, 1.2, 1.25],
  ] as const) {
    it(`take the same way at ${pace} of the speed, with the energy that it costs`, () => {
      const own = energyOf(probe, vehicle);
      near(secondsOf(own), secondsOf(car) / pace, 1e-6, 'seconds');
      near(taken(own), (taken(car) * power) / pace, 1e-3, 'joules');
      near(usedOf(own), (usedOf(car) * power) / pace / capacity, 1e-9, 'charge');
      const [end, wanted] = [vehicle, 'vehicle1'].map(
        (name) => lastOf(odometryOf(probe, name)).pose.pose.position,
      ) as [{ x: number; y: number }, { x: number; y: number }];
      near(end.x, wanted.x, 1e-6, 'where it arrives, east');
      near(end.y, wanted.y, 1e-6, 'where it arrives, north');
    });
  }

  it('are refused by a name that does not exist', async () => {
    await assert.rejects(
      replay('csv:electric?profiles=car,truck'),
      /profiles: "car,truck" is not names of car, small_car, suv, sports_car, van, separated by commas/,
    );
  });
});
