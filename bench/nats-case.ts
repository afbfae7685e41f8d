// One measurement: reads everything in a stream through a durable of its own. Prints JSON.
// node nats-case.js <holdfast|plain> <address> <stream> <durable> <messages> <folder>
import * as fs from 'node:fs/promises';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { compileRecorderOptions } from '../src/settings/compile-recorder.js';
import { resolve } from '../src/settings/resolve.js';
import { Recorder } from '../src/recorder/recorder.js';
import { systemPorts } from '../src/host/ports.js';
import { silentLogger } from '../src/core/logger.js';
import { present } from '../src/core/present.js';
import { openSource } from '../src/sources/open-source.js';
import { cpuSeconds, resident } from './measure.js';
import { sleep } from '../src/testing/waiting.js';

const POLL_MS = 5;
const [variant, address = '', stream = '', durable = '', messagesText = '0', folder = ''] =
  process.argv.slice(2);
const messages = Number(messagesText);
const now = (): number => Number(process.hrtime.bigint()) / 1e9;

/** Seconds from the first message to the last acknowledgement. */
async function holdfast(): Promise<number> {
  const flags = { data: folder, sources: ['sim:'], 'retention.min_free_bytes': '0', ballast_bytes: '0' };
  const options = compileRecorderOptions(resolve('recorder', undefined, flags), { hostname: 'bench' });
  const source = await openSource(`nats://${address}?stream=${stream}&durable=${durable}`, { fs });
  const recorder = await Recorder.prepare(options, systemPorts(silentLogger));
  let begun = 0;
  const unlisten = recorder.tap(() => {
    begun = now();
    unlisten();
  });
  await recorder.start([{ source, robot: 'bench', robotFromNamespace: false }]);
  while ((present(source.stats?.()).acknowledgedMessages ?? 0) < messages) await sleep(POLL_MS);
  const ended = now();
  const { totals } = recorder.status();
  if (totals.durable !== messages) throw new Error(`${totals.durable} of ${messages} are durable`);
  await recorder.close();
  return ended - begun;
}

/** The same of a consumer that acknowledges at once and keeps nothing. */
async function plain(): Promise<number> {
  const connection = await connect({ servers: address });
  const manager = await jetstreamManager(connection);
  await manager.consumers.add(stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: 20_000,
  });
  const consumer = await jetstream(connection).consumers.get(stream, durable);
  const deliveries = await consumer.consume({ max_messages: 10_000 });
  let begun = 0;
  let count = 0;
  for await (const message of deliveries) {
    if (count === 0) begun = now();
    message.ack();
    if (++count === messages) break;
  }
  await connection.flush();
  const ended = now();
  await connection.close();
  return ended - begun;
}

const cpuBefore = cpuSeconds(process.pid);
const seconds = await (variant === 'holdfast' ? holdfast() : plain());
const result = { seconds, cpuSeconds: cpuSeconds(process.pid) - cpuBefore, peakMb: resident().peak / 1e6 };
console.log(JSON.stringify(result));
process.exit(0);
