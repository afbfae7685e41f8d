import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askRole } from '../../../src/app/control/control-client.js';
import type { Message } from '../../../src/core/message.js';
import type { RecorderStatus } from '../../../src/core/status.js';
import { MessageDecoder } from '../../../src/recordings/message-decoder.js';
import { exportTo } from '../../jobs/export/export-support.js';
import { spawnCli } from '../../support/cli.js';
import { freePort } from '../../support/free-port.js';
import { Probe } from '../../../src/testing/source-probe.js';
import { Radio, senderOf, STANDING, udp } from './v2v-traffic.js';
import { eventually } from '../../../src/testing/waiting.js';

const COUNT = 40;

describe('what vehicles tell each other, as estimations', function () {
  this.timeout(60_000);

  it('gives the CSV files of a vehicle out of 80 recorded datagrams', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-estimations-'));
    try {
      const port = await freePort('udp4');
      const data = join(folder, 'rec');
      const uri = `udp://127.0.0.1:${port}?receiver=7`;
      const flags = ['--no-web', '--no-foxglove', '--ballast', '0', '--retention-min-free-bytes', '0'];
      const recorder = spawnCli(['record', '--source', uri, '--data', data, ...flags]);
      try {
        await recorder.waitFor(/recording/);
        const until = (isSo: (status: RecorderStatus) => boolean): Promise<true> =>
          eventually(async () => isSo((await askRole(data, 'recorder', 'status')) as RecorderStatus));
        await until(({ sources }) => sources[0]?.state === 'open');
        const radio = new Radio(port);
        const car = senderOf({ vehicle: 'vehicle_2' });
        for (let i = 0; i < COUNT; i++) {
          await radio.send(car.state({ ...STANDING, x: i, acceleration: 0.25 }));
          await radio.send(
            car.fleet([
              { vehicle: 'vehicle_7', ...STANDING },
              { vehicle: 'car9', ...STANDING },
            ]),
          );
        }
        // Each datagram is one message as it came, and one as an estimation.
        await until(({ totals }) => totals.durable === 4 * COUNT);
        await radio.close();
      } finally {
        recorder.child.kill('SIGTERM');
        await recorder.ended;
      }
      const to = join(folder, 'csv');
      const { ok, manifest } = await exportTo(data, to, { format: 'csv', preset: 'vehicle' });
      assert.ok(ok);
      assert.deepEqual(
        manifest.files.map(({ path, rows }) => [path, rows]),
        [
          ['received_fleet_estimations_vehicle_7.csv', 2 * COUNT],
          ['received_local_estimations_vehicle_7.csv', COUNT],
        ],
      );
      const rows = (await fs.readFile(join(to, 'received_local_estimations_vehicle_7.csv'), 'utf8')).split(
        '\n',
      );
      assert.equal(rows[0], 'timestamp,receive_time,sender_id,x,y,theta,v,acceleration');
      assert.match(rows[1]!, /^1\d{9}\.\d+,1\d{9}\.\d{9},2,0,2,0\.5,3,0\.25$/);
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it('are messages of the recorder’s own robot without a receiver option, and never its own datagrams', async () => {
    const port = await freePort('udp4');
    const source = await udp(`udp://127.0.0.1:${port}`);
    const robotOf = (topic: string): string => (topic === '' ? 'car1' : (topic.split('/')[1] ?? ''));
    const probe = new Probe(source, { robotOf });
    const radio = new Radio(port);
    await eventually(
      () => probe.events.some((event) => event.kind === 'state' && event.state === 'open'),
      'the socket',
    );
    await radio.send(senderOf({ vehicle: 'car1' }).state(STANDING));
    await radio.send(senderOf({ vehicle: 'car2' }).state(STANDING));
    await radio.send(senderOf({ vehicle: 'car2' }).fleet([{ vehicle: 'car1', ...STANDING }]));
    const messages = (): Message[] => probe.events.filter((event) => event.kind === 'message');
    await eventually(() => messages().length === 5, 'five messages');
    const decoder = new MessageDecoder();
    const estimations = messages().filter(({ channel }) => channel.encoding === 'cdr');
    const values = estimations.map(({ channel, data, publishedAt }) => {
      const decoded = decoder.decode({ ...channel, carried: false } as never, data);
      assert.ok(decoded.ok);
      const { timestamp, ...value } = decoded.value as Record<string, unknown>;
      assert.equal(timestamp, Number(publishedAt) / 1e9);
      return [channel.robot, channel.topic, channel.schema.name, value['sender_id']];
    });
    assert.deepEqual(values, [
      ['car1', '/car1/received_local_estimations', 'holdfast/msg/LocalEstimation', 'car2'],
      ['car1', '/car1/received_fleet_estimations', 'holdfast/msg/FleetEstimation', 'car2'],
    ]);
    await radio.close();
    probe.abort();
  });

  it('are refused a receiver that is no id', async () => {
    await assert.rejects(udp('udp://127.0.0.1:1?receiver=a/b'), /receiver/);
  });
});
