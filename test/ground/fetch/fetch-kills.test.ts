import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GroundFleet, type GroundFleetOptions } from '../../../src/app/demo/ground/ground-fleet.js';
import { formatTime, NS_PER_S } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { systemPorts } from '../../../src/host/ports.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import { SharedServers } from '../../support/shared-servers.js';
import { requirePostgres } from '../../support/postgres.js';
import type { Shown } from './fetch-world.js';

const DRIVE_MS = 6_000;
/** Some seconds for what is requested, so that the kill is in the middle. */
const SYNC_FLAGS = ['--upload', 'requested', '--bandwidth', '12KB/s', '--request-poll-ms', '500ms'];

describe('A request for segments under kill -9', function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-fetch-kills-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  /** Drives, requests, kills the robot and every process of the ground while it sends, and waits for the end. */
  async function runThrough(shared: GroundFleetOptions['shared']): Promise<void> {
    const options = { segmentMaxAgeMs: 1_500, syncFlags: SYNC_FLAGS, ...(shared && { shared }) };
    await using fleet = new GroundFleet(folder, options, systemPorts(silentLogger));
    const { signal } = new AbortController();
    const from = systemClock.now();
    await fleet.start(1, signal);
    await systemClock.sleep(DRIVE_MS);
    const robot = fleet.robots[0]?.name ?? '';
    const request = { robot, from: formatTime(from), to: formatTime(systemClock.now() - 2n * NS_PER_S) };
    const answer = await fetch(`${fleet.url}/api/requests`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(request) },
    });
    const { id, via } = (await answer.json()) as Shown;
    assert.equal(via, 'uplink');
    const ask = async (): Promise<Shown> =>
      (await (await fetch(`${fleet.url}/api/requests/${id}`)).json()) as Shown;
    await eventually(
      async () => {
        const { state, sentBytes } = await ask();
        assert.notEqual(state, 'done', `it was too fast for a kill in the middle: ${sentBytes} bytes`);
        return state === 'sending' && sentBytes > 0;
      },
      'it is sent',
      30_000,
      50,
    );
    await Promise.all([fleet.killRobot(0), fleet.killSync()]);
    for (let i = 0; i < fleet.processes; i++) await fleet.killGround(i);
    for (let i = 0; i < fleet.processes; i++) await fleet.startGround(signal, i);
    assert.equal((await ask()).state, 'sending', 'the ground has it still');
    fleet.startRobot(0);
    fleet.startSync();
    const done = await eventually(
      async () => {
        const one = await ask();
        return one.state === 'done' && one;
      },
      'it is done',
      60_000,
      200,
    );
    assert.ok(done.stored.segments >= 2, `${done.stored.segments} segments`);
    assert.deepEqual([done.stored, done.goneSegments], [done.matched, 0]);
    for (const { key, bytes } of done.segments)
      assert.equal((await fs.stat(join(fleet.storePath, key))).size, bytes);
  }

  it('of the robot and the ground in the middle ends as done', () => runThrough(undefined));

  it('does so over NATS, with two processes of the ground', async function () {
    requirePostgres(this);
    await using servers = await SharedServers.start();
    await runThrough(servers.ground);
  });
});
