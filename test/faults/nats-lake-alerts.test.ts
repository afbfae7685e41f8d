import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import protobuf from 'protobufjs';
import { spawnCli, type CliProcess } from '../support/cli.js';
import { NatsServer, event, publishAll } from '../support/nats.js';
import { perhaps } from '../support/perhaps.js';
import { eventually } from '../../src/testing/waiting.js';

const PATIENCE_MS = 60_000;
const QUIET = ['--retention-min-free-bytes', '0', '--ballast', '0', '--no-web', '--no-foxglove'];

interface Told {
  readonly kind: string;
  readonly detail: string;
}

function reading(fields: string, value: object): Uint8Array {
  const { root } = protobuf.parse(`syntax = "proto3"; message Reading { ${fields} }`);
  const type = root.lookupType('Reading');
  return Uint8Array.from(type.encode(type.fromObject(value)).finish());
}

describe('A lake beside a NATS source', function () {
  this.timeout(180_000);
  let folder = '';
  let server: NatsServer;
  let connection: NatsConnection;
  let running: CliProcess | undefined;
  const told: Told[] = [];

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-nats-lake-'));
    server = await NatsServer.start();
    connection = await server.connect();
    await server.addStream({ name: 'LOGS', subjects: ['events'] });
    told.splice(0);
    connection.subscribe('ops.alerts', { callback: (_, message) => void told.push(message.json<Told>()) });
    await connection.flush();
  });
  afterEach(async () => {
    running?.child.kill('SIGTERM');
    await running?.ended;
    await perhaps(server)?.stop();
    await fs.rm(folder, { recursive: true, force: true });
  });

  async function until(kind: string): Promise<Told> {
    try {
      return await eventually(() => told.find((one) => one.kind === kind), kind, PATIENCE_MS, 50);
    } catch (cause) {
      throw new Error(`no ${kind} on the alert subject, only ${JSON.stringify(told)}`, { cause });
    }
  }

  it('reports on the alert subject when its files cannot be sent, when they can again, and when columns change', async () => {
    const [lake, descriptors] = [join(folder, 'lake'), join(folder, 'descriptors')];
    await fs.mkdir(descriptors);
    await fs.writeFile(
      join(descriptors, 'reading@1.proto'),
      'syntax = "proto3"; message Reading { int32 a = 1; }',
    );
    await fs.writeFile(
      join(descriptors, 'reading@2.proto'),
      'syntax = "proto3"; message Reading { int64 a = 1; string b = 2; }',
    );
    // No folder can be made there.
    await fs.writeFile(lake, '');
    const source = `nats://${server.address}?stream=LOGS&durable=holdfast&alert=ops.alerts`;
    const sink = `parquet:dir:${lake}?descriptors=${descriptors}`;
    const rec = join(folder, 'rec');
    const args = [
      '--source',
      source,
      '--robot',
      'r',
      '--data',
      rec,
      '--sink',
      sink,
      '--segment-max-age-ms',
      '1s',
    ];
    running = spawnCli(['up', ...args, ...QUIET]);
    const more = { eventTypeKey: 'reading', payloadFormatHint: 'protobuf;version=1' };
    await publishAll(connection, 'events', [
      event(1, { ...more, eventPayload: reading('int32 a = 1;', { a: 1 }) }),
    ]);
    const failed = await until('parquet_failed');
    assert.match(failed.detail, /^parquet: /);
    await fs.rm(lake);
    await fs.mkdir(lake);
    await until('parquet_recovered');
    const young = reading('int64 a = 1; string b = 2;', { a: 2, b: 'new' });
    await publishAll(connection, 'events', [
      event(2, { ...more, payloadFormatHint: 'protobuf;version=2', eventPayload: young }),
    ]);
    const changed = await until('parquet_schema_changed');
    assert.equal(changed.detail, 'parquet: reading: added b; a int32 -> int64');
  });
});
