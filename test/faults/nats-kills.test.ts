import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { present } from '../../src/core/present.js';
import { parseGenericEvent } from '../../src/core/generic-event.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { natsIdentity, natsIdentityKey } from '../../src/core/nats-identity.js';
import { runCli, spawnCli, type CliProcess } from '../support/cli.js';
import { NatsServer, event, publishAll } from '../support/nats.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { perhaps } from '../support/perhaps.js';

const PATIENCE_MS = 60_000;
const QUIET = ['--retention-min-free-bytes', '0', '--ballast', '0', '--no-web', '--no-foxglove'];

/** What a data folder has sealed: the number in the envelope, and which message it says to be. */
interface Recorded {
  readonly number: number;
  readonly key: string;
}

async function readEvents(path: string): Promise<Recorded[]> {
  const reader = await openMcap(bytesReadable(await fs.readFile(path)), path);
  const found: Recorded[] = [];
  for await (const { channel, sequence, data } of reader.messages()) {
    const parsed = parseGenericEvent(data);
    assert.ok(typeof parsed === 'object');
    const key = natsIdentityKey(present(natsIdentity(channel, sequence)));
    found.push({ number: Number(Buffer.from(parsed.eventPayload.subarray(0, 12)).toString()), key });
  }
  return found;
}

describe('Recording from NATS', function () {
  this.timeout(180_000);
  let folder = '';
  let server: NatsServer;
  let connection: NatsConnection;
  let manager: JetStreamManager;
  const running: CliProcess[] = [];
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-nats-cli-'));
    server = await NatsServer.start();
    connection = await server.connect();
    manager = await jetstreamManager(connection);
    await server.addStream({ name: 'LOGS', subjects: ['logging.events.raw'] });
  });
  afterEach(async () => {
    for (const { child } of running.splice(0)) child.kill('SIGKILL');
    await perhaps(server)?.stop();
    await fs.rm(folder, { recursive: true, force: true });
  });

  function record(name: string, options = ''): CliProcess {
    const source = `nats://${server.address}?stream=LOGS&durable=holdfast&ack_wait=2s${options}`;
    // Small segments, so that the seen identities must reach across them.
    const small = ['--segment-max-bytes', '1MB'];
    const made = spawnCli([
      'record',
      '--source',
      source,
      '--robot',
      'r',
      '--data',
      join(folder, name),
      ...small,
      ...QUIET,
    ]);
    running.push(made);
    return made;
  }

  async function stop(recorder: CliProcess): Promise<void> {
    recorder.child.kill('SIGTERM');
    const { exitCode, stderr } = await recorder.ended;
    assert.equal(exitCode, 0, stderr);
  }

  async function kill({ child }: CliProcess): Promise<void> {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async function recordedIn(...names: string[]): Promise<Recorded[]> {
    const found: Recorded[] = [];
    for (const name of names) {
      const sealed = join(folder, name, 'sealed');
      for (const file of await fs.readdir(sealed)) {
        if (file.endsWith('.mcap')) found.push(...(await readEvents(join(sealed, file))));
      }
    }
    return found;
  }

  /** While the server is down its answers count as no. */
  const until = (check: () => Promise<boolean>, what: string): Promise<true> =>
    eventually(() => check().catch(() => false), what, PATIENCE_MS);

  const delivered = async (): Promise<number> =>
    (await manager.consumers.info('LOGS', 'holdfast')).delivered.stream_seq;

  const drained = async (): Promise<boolean> => {
    const { num_pending, num_ack_pending } = await manager.consumers.info('LOGS', 'holdfast');
    return num_pending === 0 && num_ack_pending === 0;
  };

  /** Envelopes whose payload begins with their number, in twelve digits. */
  const numbered = (from: number, count: number, bytes = 1_000): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => {
      const payload = randomBytes(bytes);
      payload.write(String(from + i).padStart(12, '0'));
      return event(from + i, { eventPayload: payload });
    });

  function assertEach(found: readonly Recorded[], count: number): void {
    assert.deepEqual(
      found.map(({ number }) => number).sort((a, b) => a - b),
      Array.from({ length: count }, (_, i) => i),
    );
    assert.equal(new Set(found.map(({ key }) => key)).size, count);
  }

  it('has everything once after kill -9 of recorder and server, with payloads of 1 MB among the rest', async () => {
    let published = 0;
    const publish = async (count: number, bytes?: number): Promise<void> => {
      await publishAll(connection, 'logging.events.raw', numbered(published, count, bytes));
      published += count;
    };
    let recorder = record('data');
    for (let round = 0; round < 3; round++) {
      const before = published;
      await publish(1_500);
      await until(async () => (await delivered()) > before, 'deliveries');
      await publish(4, 1_048_000);
      // Somewhere between delivery, commit and acknowledgement.
      await sleep(round * 40);
      await kill(recorder);
      if (round === 1) {
        await server.kill();
        recorder = record('data');
        await sleep(500);
        await server.run();
        connection = await server.connect();
        manager = await jetstreamManager(connection);
      } else recorder = record('data');
      await publish(500);
    }
    await until(drained, 'everything to be acknowledged');
    // As if no acknowledgement had ever arrived: all of it comes again, also what was sealed long ago.
    await kill(recorder);
    await manager.consumers.delete('LOGS', 'holdfast');
    recorder = record('data');
    await until(drained, 'everything to be acknowledged once more');
    await stop(recorder);
    assertEach(await recordedIn('data'), published);
  });

  it('shares a durable among recorders, one of which is killed: nothing is missing, and readers give all once', async () => {
    const [first, second] = [record('a'), record('b')];
    await until(
      async () => (await manager.consumers.info('LOGS', 'holdfast')).num_waiting >= 2,
      'both to ask',
    );
    const count = 6_000;
    const third = count / 3;
    await publishAll(connection, 'logging.events.raw', numbered(0, third));
    await until(drained, 'the first third');
    await publishAll(connection, 'logging.events.raw', numbered(third, third));
    await kill(first);
    await publishAll(connection, 'logging.events.raw', numbered(2 * third, third));
    await until(drained, 'everything to be acknowledged');
    await stop(second);
    const again = record('a');
    await again.waitFor(/a NATS source is reading/);
    await stop(again);
    const shares = [await recordedIn('a'), await recordedIn('b')];
    assert.ok(
      shares.every((share) => share.length > 0),
      'both had a share',
    );
    const numbers = new Set(shares.flat().map(({ number }) => number));
    assert.equal(numbers.size, count);
    for (const share of shares) assert.equal(new Set(share.map(({ key }) => key)).size, share.length);

    // As if every acknowledgement of the second had been lost: a third is given all of it again.
    await manager.consumers.delete('LOGS', 'holdfast');
    const last = record('c');
    await until(drained, 'everything a second time');
    await stop(last);
    await fs.mkdir(join(folder, 'all'));
    for (const name of ['a', 'b', 'c']) {
      const sealed = join(folder, name, 'sealed');
      for (const file of await fs.readdir(sealed)) {
        if (file.endsWith('.mcap')) await fs.copyFile(join(sealed, file), join(folder, 'all', file));
      }
    }
    assert.ok((await recordedIn('a', 'b', 'c')).length >= 2 * count);
    const { stdout, exitCode } = await runCli(['cat', join(folder, 'all')]);
    assert.equal(exitCode, 0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .filter((line) => line.includes('logging.events.raw'));
    assert.equal(lines.length, count);
    const out = join(folder, 'out');
    const from = [
      'export',
      '--from',
      join(folder, 'all'),
      '--to',
      out,
      '--format',
      'mcap',
      '--log-level',
      'warn',
    ];
    const exported = await runCli([...from, '--json']);
    assert.equal(exported.exitCode, 0, exported.stderr);
    const files = await fs.readdir(out, { recursive: true });
    const mcaps = files.filter((file) => file.endsWith('.mcap')).map((file) => join(out, file));
    assertEach((await Promise.all(mcaps.map(readEvents))).flat(), count);
  });
});
