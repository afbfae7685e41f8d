import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { present } from '../../../src/core/present.js';
import type { Source } from '../../../src/core/source.js';
import { createSimSource } from '../../../src/sources/sim/sim-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { sourceContract } from '../../../src/testing/source-contract.js';
import { Probe, idle } from '../../../src/testing/source-probe.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';

const sim = (uri: string): Source => createSimSource(parseSourceUri(uri));

sourceContract('The simulated fleet with an end', {
  healthy: () => Promise.resolve({ source: sim('sim:?robots=2&duration=1s&rate=max&camera_kb=16') }),
});

sourceContract('The simulated fleet without an end', {
  healthy: () => Promise.resolve({ source: sim('sim:?robots=2&rate=20x&camera_kb=16') }),
});

sourceContract('The flood', {
  healthy: () =>
    Promise.resolve({
      source: sim('sim:?shape=flood&size=100&rate=20000&channels=4&duration=50ms'),
      messageCount: 1000,
    }),
});

describe('The simulated source', function () {
  this.timeout(30_000);

  const digest = async (uri: string): Promise<string> => {
    const { messages } = await new Probe(sim(uri)).end();
    return messages
      .map(
        (message) =>
          `${message.channel.topic} ${message.sourceSequence} ${Buffer.from(message.data).toString('base64')}`,
      )
      .join('\n');
  };

  it('gives the same messages for the same seed and others for another', async () => {
    const uri = 'sim:?robots=2&duration=300ms&rate=max&start=2026-01-01T00:00:00Z&camera_kb=16';
    const first = await digest(`${uri}&seed=5`);
    assert.equal(await digest(`${uri}&seed=5`), first);
    assert.notEqual(await digest(`${uri}&seed=6`), first);
  });

  it('numbers every channel from 1 without a hole', async () => {
    const { messages } = await new Probe(sim('sim:?robots=2&duration=2s&rate=max&camera_kb=16')).end();
    const last = new Map<string, number>();
    for (const { channel, sourceSequence } of messages) {
      assert.equal(sourceSequence, (last.get(channel.topic) ?? 0) + 1, channel.topic);
      last.set(channel.topic, sourceSequence);
    }
    assert.equal(last.get('/robot1/imu'), 400);
    assert.equal(last.get('/robot2/odom'), 100);
    assert.equal(last.get('/robot1/tf_static'), 1);
  });

  it('keeps simulated time in the recording when it runs faster than real time', async () => {
    const { messages } = await new Probe(
      sim('sim:?robots=1&duration=1h&rate=max&topics=battery&start=2026-01-01T00:00:00Z'),
    ).end();
    assert.equal(messages.length, 3600);
    const [first, final] = [messages[0]!, present(messages.at(-1))];
    assert.ok(final.receivedAt - first.receivedAt >= 3_598_000_000_000n);
    assert.equal(final.receivedAt, final.publishedAt);
  });

  it('stamps with the clock of the recorder in real time', async () => {
    const now = 1_800_000_000_000_000_000n;
    const probe = new Probe(sim('sim:?robots=1&topics=imu'), {
      clock: { ...systemClock, now: () => now },
    });
    await eventually(() => probe.messages.length > 5, 'messages');
    probe.abort();
    await probe.end();
    assert.ok(probe.messages.every((message) => message.receivedAt === now && message.publishedAt > now));
  });

  it('does not make up for more than two seconds of standstill', async () => {
    let skip = 0n;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skip };
    const probe = new Probe(sim('sim:?robots=1&topics=imu'), { clock });
    await eventually(() => probe.messages.length > 5, 'messages');
    const before = probe.messages.length;
    skip = 3_600_000_000_000n;
    const skippedAt = process.hrtime.bigint();
    await eventually(() => probe.messages.length >= before + 300, 'it to catch up');
    await idle(100);
    probe.abort();
    await probe.end();
    const realSeconds = Number(process.hrtime.bigint() - skippedAt) / 1e9;
    const made = probe.messages.length - before;
    assert.ok(made <= 200 * (2 + realSeconds) + 50, `${made} messages in ${realSeconds} s`);
  });

  it('reports all faults of its options together', () => {
    assert.throws(
      () => sim('sim:?robots=0&duration=soon&colour=red&rate=1&topics=imu,smell&seed=1&seed=2'),
      (error: unknown) => {
        assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
        for (const name of ['robots', 'duration', 'colour', 'rate', 'topics', 'seed']) {
          assert.match(error.message, new RegExp(`${name}: `));
        }
        assert.match(error.message, /"0" is not an integer from 1 to 2000/);
        return true;
      },
    );
    assert.throws(() => sim('sim:fleet?robots=1'), /takes options only/);
    assert.throws(() => sim('sim:?shape=flood&size=3'), /size: "3" is not an integer from 24 to/);
  });

  it('makes payloads of the asked size that compress as asked', async () => {
    const { gzipSync } = await import('node:zlib');
    for (const [entropy, low, high] of [
      [1, 0.95, 1.1],
      [0.5, 0.45, 0.6],
      [0, 0, 0.1],
    ] as const) {
      const uri = `sim:?shape=flood&size=1000&rate=100000&channels=3&robots=2&duration=10ms&entropy=${entropy}`;
      const { messages } = await new Probe(sim(uri)).end();
      assert.equal(messages.length, 1000);
      const all = Buffer.concat(messages.map((message) => message.data));
      assert.equal(all.length, 1_000_000);
      const ratio = gzipSync(all).length / all.length;
      assert.ok(ratio >= low && ratio <= high, `entropy ${entropy} compresses to ${ratio}`);
      assert.deepEqual(
        [...new Set(messages.map((message) => message.channel.topic))],
        ['/robot1/flood/channel1', '/robot2/flood/channel2', '/robot1/flood/channel3'],
      );
    }
  });
});
