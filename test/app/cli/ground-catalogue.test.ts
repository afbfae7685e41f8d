import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { present } from '../../../src/core/present.js';
import { eventually } from '../../../src/testing/waiting.js';
import { jsonOf, runCli, spawnCli } from '../../support/cli.js';

interface Found {
  readonly recording: number;
  readonly robot: string;
  readonly state: string;
}

describe('holdfast ground --store', function () {
  this.timeout(120_000);

  /** Its file by a link, a report and an export. */
  async function filesOf(url: string, recording: number, folder: string): Promise<void> {
    const post = async (name: string, body: object = {}): Promise<{ path?: string; job?: string }> => {
      const answer = await fetch(`${url}api/recordings/${recording}/${name}`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify(body),
      });
      assert.equal(answer.status, 200);
      return (await answer.json()) as { path?: string; job?: string };
    };
    const bytesAt = async (path: string | undefined): Promise<Buffer> => {
      const answer = await fetch(url + present(path));
      assert.equal(answer.status, 200);
      return Buffer.from(await answer.arrayBuffer());
    };
    const made = async (name: string, body?: object): Promise<Buffer> => {
      const { job } = await post(name, body);
      const path = await eventually(async () => {
        const answer = await fetch(`${url}api/jobs/${present(job)}`);
        const state = (await answer.json()) as { state: string; message: string; path?: string };
        assert.notEqual(state.state, 'failed', state.message);
        return state.path;
      }, name);
      return await bytesAt(path);
    };
    const segment = await bytesAt((await post('link')).path);
    assert.equal(segment.toString('latin1', 1, 5), 'MCAP');
    assert.match((await made('report')).toString(), /<html[\s\S]*robot2/);
    const tar = join(folder, 'export.tar');
    await writeFile(tar, await made('export', { format: 'csv' }));
    const { stdout } = await promisify(execFile)('tar', ['-tf', tar]);
    assert.match(stdout, /\.csv$/m);
  }

  it('shows the recordings of the store, by their tags too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-ground-catalogue-'));
    try {
      const [data, path] = [join(folder, 'rec'), join(folder, 'store')];
      await mkdir(path);
      const source = 'sim:?robots=2&duration=2s&rate=max&topics=imu';
      await runCli(['record', '--source', source, '--data', data, '--tag', 'mission=m3']);
      await runCli(['sync', '--data', data, '--store', `dir:${path}`, '--drain']);
      const token = await runCli(['ground', 'enrol', 'robot1', '--data', join(folder, 'ground')]);
      await writeFile(join(folder, 'token'), token.stdout, { mode: 0o600 });
      const place = ['--data', join(folder, 'ground'), '--listen', '127.0.0.1:0', '--store', `dir:${path}`];
      const ground = spawnCli(['ground', ...place]);
      const { child, ended } = ground;
      try {
        await ground.waitFor(/listens.* port=\d+/);
        const url = `http://127.0.0.1:${/ port=(\d+)/.exec(ground.output())?.[1]}`;
        const found = await eventually(async () => {
          const answer = await fetch(`${url}/api/recordings?tag=mission=m*&topic=/robot2/*`);
          const { recordings } = (await answer.json()) as { recordings: Found[] };
          return recordings.length > 0 ? recordings : undefined;
        }, 'the catalogue has them');
        assert.deepEqual(
          found.map(({ robot, state }) => [robot, state]),
          [['robot2', 'stored']],
        );
        await filesOf(`${url}/`, present(found[0]).recording, folder);
        // The next listing is minutes away: the robot's report makes the ground look.
        const later = join(folder, 'later');
        const uplink = [
          '--ground-url',
          url.replace('http', 'ws'),
          '--ground-token-file',
          join(folder, 'token'),
        ];
        const record = [
          'record',
          '--source',
          'sim:?robots=1&topics=imu',
          '--data',
          later,
          '--tag',
          'mission=n4',
        ];
        const recorder = spawnCli([...record, ...uplink, '--segment-max-age-ms', '1s']);
        const sync = spawnCli(['sync', '--data', later, '--store', `dir:${path}`]);
        try {
          await eventually(async () => {
            const answer = await fetch(`${url}/api/recordings?tag=mission=n4`);
            return ((await answer.json()) as { recordings: unknown[] }).recordings.length > 0;
          }, 'an uploaded segment is in the catalogue');
        } finally {
          for (const { child: one } of [recorder, sync]) one.kill('SIGTERM');
          await Promise.all([recorder.ended, sync.ended]);
        }
        const refused = await fetch(`${url}/api/recordings?from=noon`);
        assert.equal(refused.status, 400);
        const rebuilt = await runCli(['ground', 'rebuild', '--url', url, '--json']);
        const { stores } = jsonOf(rebuilt) as { stores: { recordings: number }[] };
        assert.equal(rebuilt.exitCode, 0);
        assert.ok((stores[0]?.recordings ?? 0) >= 2, JSON.stringify(stores));
        // What only the robot has is in no store.
        const question = { sql: "SELECT count(*) AS recordings FROM recordings WHERE state <> 'local'" };
        const answer = await fetch(`${url}/api/sql`, {
          ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
          body: JSON.stringify(question),
        });
        const { rows } = (await answer.json()) as { rows: { recordings: number }[] };
        assert.equal(rows[0]?.recordings, stores[0]?.recordings);
      } finally {
        child.kill('SIGTERM');
        await ended;
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
