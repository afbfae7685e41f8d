import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GroundFleet } from '../../../src/app/demo/ground/ground-fleet.js';
import { judgeGround } from '../../../src/app/demo/ground/judge-ground.js';
import { silentLogger } from '../../../src/core/logger.js';
import { systemPorts } from '../../../src/host/ports.js';
import { systemClock } from '../../../src/host/system-clock.js';

/** About two seconds of samples. */
const OUTBOX_BYTES = 2_048;
const OUTAGE_MS = 7_000;

describe('A robot whose outbox was full', function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-full-outbox-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('has a whole history once its segments are uploaded', async () => {
    const ports = systemPorts(silentLogger);
    const { signal } = new AbortController();
    const recorderFlags = ['--ground-outbox-max-bytes', String(OUTBOX_BYTES)];
    await using fleet = new GroundFleet(folder, { segmentMaxAgeMs: 2_000, recorderFlags }, ports);
    await fleet.start(1, signal);
    await systemClock.sleep(1_000);
    fleet.tunnel(0).cut();
    await systemClock.sleep(OUTAGE_MS);
    fleet.tunnel(0).mend();
    await fleet.drained(signal);
    await fleet.stop();
    const { findings, fields } = await judgeGround(fleet, ports);
    assert.deepEqual(findings, []);
    assert.ok(fields.every(({ compared }) => compared > 0));
    const answer = await fetch(`${fleet.url}/api/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sql: 'SELECT ticks, filled FROM holes' }),
    });
    const { rows } = (await answer.json()) as { rows: readonly { ticks: number; filled: number }[] };
    // A busy machine confirms late, which makes a small hole, too.
    assert.ok(
      rows.some(({ ticks }) => ticks > 10),
      `the outbox was full: ${JSON.stringify(rows)}`,
    );
    assert.ok(
      rows.every(({ ticks, filled }) => filled > ticks),
      JSON.stringify(rows),
    );
  });
});
