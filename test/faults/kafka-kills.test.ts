import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageNumbering } from '../../src/core/message-numbering.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { runCli, spawnCli, type CliProcess } from '../support/cli.js';
import { KafkaBroker } from '../support/kafka.js';
import { perhaps } from '../support/perhaps.js';

const PATIENCE_MS = 120_000;
const QUIET = ['--retention-min-free-bytes', '0', '--ballast', '0', '--no-web', '--no-foxglove'];
const TOPIC = 'fleet';
const PARTITIONS = 3;
const TEXT = 'x'.repeat(900);

/** What a data folder has sealed: the number in the message, and which message it says to be. */
interface Recorded {
  readonly number: number;
  readonly key: string;
}

describe('Recording from Kafka', function () {
  this.timeout(400_000);
  let folder = '';
  let broker: KafkaBroker;
  let published = 0;
  const running: CliProcess[] = [];

  before(async function () {
    broker = await KafkaBroker.start(this);
    await broker.createTopic(TOPIC, PARTITIONS);
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-kafka-cli-'));
  });
  after(async () => {
    for (const { child } of running.splice(0)) child.kill('SIGKILL');
    await perhaps(broker)?.[Symbol.asyncDispose]();
    if (folder !== '') await fs.rm(folder, { recursive: true, force: true });
  });

  function record(name: string, group = 'rec'): CliProcess {
    const source = `kafka://${broker.address}/${TOPIC}?group=${group}&session=6s&fetch_mb=1`;
    const target = ['--source', source, '--robot', 'r', '--data', join(folder, name)];
    // Small segments, so that the seen offsets must reach across them.
    const made = spawnCli(['record', ...target, '--segment-max-bytes', '1MB', ...QUIET]);
    running.push(made);
    return made;
  }

  async function kill({ child }: CliProcess): Promise<void> {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async function stop(recorder: CliProcess): Promise<void> {
    recorder.child.kill('SIGTERM');
    const { exitCode, stderr } = await recorder.ended;
    assert.equal(exitCode, 0, stderr);
  }

  /** In batches that are smaller than what a topic takes. */
  async function publish(batches: number): Promise<void> {
    for (let batch = 0; batch < batches; batch++) {
      const records = Array.from({ length: 500 }, () => ({ value: `{"n":${published++},"text":"${TEXT}"}` }));
      await broker.produce(TOPIC, records, batch % PARTITIONS);
    }
  }

  async function recordedIn(name: string): Promise<Recorded[]> {
    const found: Recorded[] = [];
    const sealed = join(folder, name, 'sealed');
    for (const file of (await fs.readdir(sealed)).filter((one) => one.endsWith('.mcap'))) {
      const path = join(sealed, file);
      const reader = await openMcap(bytesReadable(await fs.readFile(path)), path);
      for await (const { channel, sequence, data } of reader.messages()) {
        const number = Number(/"n":(\d+)/.exec(Buffer.from(data).toString())?.[1]);
        found.push({ number, key: `${messageNumbering(channel.metadata)}#${sequence}` });
      }
    }
    return found;
  }

  const stored = async (group = 'rec'): Promise<number> => {
    const offsets = await Promise.all(
      Array.from({ length: PARTITIONS }, (_, i) => broker.committed(group, TOPIC, i).catch(() => 0)),
    );
    return offsets.reduce<number>((sum, one) => sum + (one ?? 0), 0);
  };
  const until = (check: () => Promise<boolean>, what: string): Promise<true> =>
    eventually(check, what, PATIENCE_MS, 100);

  it('has every message once after kill -9 of the recorder and of the broker', async () => {
    let recorder = record('data');
    for (let round = 0; round < 3; round++) {
      const before = await stored();
      await publish(12);
      await until(async () => (await stored()) > before, 'offsets');
      // Somewhere between fetch, commit and the next offset.
      await sleep(round * 40);
      await kill(recorder);
      if (round === 1) {
        await broker.kill();
        recorder = record('data');
        await broker.run();
      } else recorder = record('data');
    }
    await until(async () => (await stored()) === published, 'every offset');
    await stop(recorder);
    const found = await recordedIn('data');
    assert.deepEqual(
      found.map(({ number }) => number).sort((a, b) => a - b),
      Array.from({ length: published }, (_, i) => i),
    );
    assert.equal(new Set(found.map(({ key }) => key)).size, published);
  });

  it('is read once where two recorders have recorded the same messages', async () => {
    // As if the offsets of the group were lost: another recorder gets everything again.
    const recorder = record('again', 'other');
    await until(async () => (await stored('other')) === published, 'every offset of the other group');
    await stop(recorder);
    assert.equal((await recordedIn('again')).length, published);
    const all = join(folder, 'all');
    await fs.mkdir(all);
    for (const name of ['data', 'again']) {
      const sealed = join(folder, name, 'sealed');
      for (const file of await fs.readdir(sealed)) {
        if (file.endsWith('.mcap')) await fs.copyFile(join(sealed, file), join(all, file));
      }
    }
    const { stdout, exitCode } = await runCli(['cat', all]);
    assert.equal(exitCode, 0);
    assert.equal(
      stdout
        .trimEnd()
        .split('\n')
        .filter((line) => line.includes('"fleet"')).length,
      published,
    );
  });
});
