import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { isHoldfastError, type HoldfastError } from '../../src/core/errors.js';
import { present } from '../../src/core/present.js';
import { packageRoot } from '../../src/host/version.js';
import { VehicleLogger } from '../../src/logger/entry.js';
import type { ConfigFault } from '../../src/settings/fault.js';
import { V2vManager, V2vSender, type V2vManagerOptions } from '../../src/v2v/entry.js';
import { parseManagerOptions } from '../../src/v2v/v2v-manager-options.js';
import { KEY } from '../sources/udp/v2v-traffic.js';
import { freePort } from '../support/free-port.js';
import { LoggerPlace } from '../logger/logger-support.js';
import { lacking } from '../../src/testing/lacking.js';
import { pythonWith } from '../support/python-packages.js';
import { eventually } from '../../src/testing/waiting.js';

const ROUNDS = 20;
const IDS = [1, 2, 3, 4, 5];

describe('V2vManager', function () {
  this.timeout(60_000);
  let port = 0;
  const open: AsyncDisposable[] = [];
  beforeEach(async () => {
    port = await freePort('udp4');
  });
  afterEach(async () => {
    for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
  });

  /** On the loopback interface: what is sent leaves this machine nowhere. */
  async function managerOf(options: V2vManagerOptions): Promise<V2vManager> {
    const manager = new V2vManager({ iface: 'lo', port, ...options });
    open.push(manager);
    const { state, reason } = await manager.ready();
    assert.equal(state, 'open', reason);
    return manager;
  }

  it('shares what five vehicles know, and logs what each heard of the four others', async function () {
    await using place = await LoggerPlace.make();
    const loggers = IDS.map((vehicleId) => new VehicleLogger({ vehicleId, dir: place.csv }));
    const managers: V2vManager[] = [];
    for (const [index, logger] of loggers.entries()) {
      managers.push(await managerOf({ vehicleId: IDS[index]!, logger, key: KEY }));
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, manager] of managers.entries()) {
        const id = IDS[index]!;
        const fleet = IDS.map((of) => ({ vehicleId: of, x: of + round / 10, y: of, theta: 0, v: 1 }));
        assert.ok(
          manager.sendLocalEstimation({ x: id + round / 10, y: id, theta: 0, v: 1, acceleration: 0.5 }),
        );
        assert.ok(manager.sendFleetEstimation(fleet));
      }
      await eventually(
        () => managers.every((one) => one.stats().received === 8 * (round + 1)),
        'all datagrams',
      );
    }
    for (const [index, manager] of managers.entries()) {
      const { sent, received, lost, refused, vehicles } = await manager.close();
      assert.deepEqual([sent, received, lost, refused], [2 * ROUNDS, 8 * ROUNDS, 0, {}]);
      assert.deepEqual([...vehicles].sort(), IDS.filter((id) => id !== IDS[index]).map(String));
    }
    for (const logger of loggers) assert.equal((await logger.close()).dropped, 0);
    for (const id of IDS) {
      const local = await place.rows(`received_local_estimations_vehicle_${id}.csv`);
      const fleet = await place.rows(`received_fleet_estimations_vehicle_${id}.csv`);
      assert.deepEqual([local.length, fleet.length], [4 * ROUNDS, 4 * ROUNDS * 5]);
      const other = id === 1 ? 2 : 1;
      const first = present(local.find((row) => row.split(',')[2] === String(other)));
      const [timestamp, receiveTime, , ...state] = first.split(',');
      assert.deepEqual(state, [String(other), String(other), '0', '1', '0.5']);
      assert.ok(Math.abs(Number(receiveTime) - Number(timestamp)) < 10);
    }
  });

  it('gives files that the example plots with pandas and matplotlib', async function () {
    this.timeout(300_000);
    const python = pythonWith(['pandas', 'matplotlib']);
    if ('missing' in python) return lacking(this, 'python', python.missing);
    await using place = await LoggerPlace.make();
    const logger = new VehicleLogger({ vehicleId: 3, dir: place.csv });
    for (let round = 0; round < ROUNDS; round++) {
      for (const id of IDS.filter((one) => one !== 3)) {
        const pose = { x: round, y: id, theta: 0, v: 1 };
        logger.logLocalEstimation(String(id), Date.now() / 1e3, pose);
        logger.logFleetEstimation(String(id), Date.now() / 1e3, { [id]: pose });
      }
    }
    await logger.close();
    const example = join(packageRoot, 'examples', 'v2v', 'plot_estimations.py');
    const picture = join(place.root, 'vehicle-3.png');
    const ran = spawnSync(python.path, [example, place.csv, '3', picture], { encoding: 'utf8' });
    assert.equal(ran.status, 0, ran.stderr);
    const senders = ['1', '2', '4', '5'];
    const expected = { senders, local_rows: 80, fleet_rows: 80, vehicles: senders };
    assert.deepEqual(JSON.parse(ran.stdout), expected);
    assert.ok((await fs.stat(picture)).size > 10_000);
  });

  it('uses multicast port 8000 by default', () => {
    const { group, port: standard, hops } = parseManagerOptions({ vehicleId: 1 });
    assert.deepEqual([group, standard, hops], ['239.7.7.7', 8_000, 1]);
  });

  it('never throws for an invalid value to send, and counts it', async () => {
    const problems: HoldfastError[] = [];
    const manager = await managerOf({ vehicleId: 1, onError: (problem) => problems.push(problem) });
    const wrong = [undefined, null, {}, { x: 1, y: 2, theta: 3, v: NaN }, 'text'] as unknown[];
    for (const state of wrong) assert.equal(manager.sendLocalEstimation(state as never), false);
    for (const states of [...wrong, [{ x: 1, y: 2, theta: 3, v: 4 }], Array.from({ length: 257 })]) {
      assert.equal(manager.sendFleetEstimation(states as never), false);
    }
    assert.equal(manager.stats().notSent, 12);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['V2V_SEND_FAILED'],
    );
    await manager.close();
    assert.equal(manager.sendLocalEstimation({ x: 1, y: 2, theta: 3, v: 4 }), false);
  });

  it('refuses what does not carry the key of the fleet, and reports a second vehicle with its name', async () => {
    const codes: string[] = [];
    const manager = await managerOf({ vehicleId: 1, key: KEY, onError: ({ code }) => codes.push(code) });
    const twin = await managerOf({ vehicleId: 1, key: KEY });
    const stranger = await managerOf({ vehicleId: 2 });
    stranger.sendLocalEstimation({ x: 1, y: 2, theta: 3, v: 4 });
    twin.sendLocalEstimation({ x: 1, y: 2, theta: 3, v: 4 });
    await eventually(() => codes.length === 2, 'both problems');
    assert.deepEqual(codes.sort(), ['V2V_DATAGRAM_REFUSED', 'V2V_NAME_TAKEN']);
    const { received, refused } = manager.stats();
    assert.deepEqual([received, refused], [0, { unauthenticated: 1 }]);
  });

  it('counts numbers that did not arrive, and duplicates', async () => {
    const manager = await managerOf({ vehicleId: 1 });
    const car = new V2vSender({ vehicle: 'vehicle_2', session: 's' }, () => BigInt(Date.now()) * 1_000_000n);
    const socket = createSocket('udp4');
    socket.bind(0);
    await once(socket, 'listening');
    socket.setMulticastInterface('127.0.0.1');
    const datagrams = [1, 2, 3, 4].map((x) => car.state({ x, y: 0, theta: 0, v: 0 }));
    const sent = [0, 3, 3].map((index) => datagrams[index]!);
    for (const one of sent) await new Promise((resolve) => socket.send(one, port, '239.7.7.7', resolve));
    await eventually(() => manager.stats().duplicates === 1, 'the duplicate');
    socket.close();
    const { received, lost, duplicates } = await manager.close();
    assert.deepEqual([received, lost, duplicates], [2, 2, 1]);
  });

  it('waits and tries again if its network is not there', async () => {
    const problems: string[] = [];
    const manager = new V2vManager({
      vehicleId: 1,
      port,
      iface: 'none0',
      onError: (one) => problems.push(one.code),
    });
    open.push(manager);
    const { state, reason } = await manager.ready();
    assert.equal(state, 'waiting');
    assert.match(reason ?? '', /none0/);
    assert.deepEqual(problems, ['SOURCE_DISCONNECTED']);
    assert.equal(manager.sendLocalEstimation({ x: 1, y: 2, theta: 3, v: 4 }), false);
    assert.equal((await manager.close()).state, 'closed');
  });

  it('reports all faults of its options at once', () => {
    const wrong = { vehicleId: -1, group: '10.0.0.1', port: 0, key: Buffer.from('short'), logger: {} };
    assert.throws(
      () => new V2vManager(wrong as unknown as V2vManagerOptions),
      (error) => {
        assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
        const paths = (error.facts['faults'] as readonly ConfigFault[]).map(({ path }) => path);
        assert.deepEqual(paths, ['vehicleId', 'group', 'port', 'key', 'logger']);
        return true;
      },
    );
  });
});
