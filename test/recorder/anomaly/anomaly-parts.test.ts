import assert from 'node:assert/strict';
import fc from 'fast-check';
import { present } from '../../../src/core/present.js';
import { AnomalyMarker } from '../../../src/recorder/anomaly/anomaly-marker.js';
import type { AnomalyOptions } from '../../../src/settings/anomaly-options.js';
import { AnomalyWatch } from '../../../src/recorder/anomaly/anomaly-watch.js';
import { RateDetector } from '../../../src/recorder/anomaly/rate-detector.js';
import { ValueDetector } from '../../../src/recorder/anomaly/value-detector.js';
import { parseAnomalyRule } from '../../../src/settings/anomaly-rule.js';
import type { MarkEventRequest } from '../../../src/recorder/recorder-control.js';
import type { Clock } from '../../../src/core/clock.js';
import type { MarkedEvent } from '../../../src/core/marked-event.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Message } from '../../../src/core/message.js';
import { testChannel, testMessage } from '../recorder-support.js';
import { systemTimers } from '../../../src/host/system-clock.js';

const S = 1_000_000_000n;
const rule = (text: string): NonNullable<ReturnType<typeof parseAnomalyRule>> => {
  const parsed = parseAnomalyRule(text);
  assert.ok(parsed, text);
  return parsed;
};

/** A clock that stands still until the test moves it. */
class HandClock implements Clock {
  at = 1_000n * S;
  /** Each look at it takes so long. */
  stepNs = 0n;
  now(): bigint {
    return this.monotonic();
  }
  readonly after: Clock['after'] = (...given) => systemTimers.after(...given);
  readonly every: Clock['every'] = (...given) => systemTimers.every(...given);
  readonly soon: Clock['soon'] = (...given) => systemTimers.soon(...given);
  monotonic(): bigint {
    return (this.at += this.stepNs);
  }
  sleep(): Promise<void> {
    return Promise.reject(new Error('nobody sleeps here'));
  }
}

const optionsOf = (texts: readonly string[], more: Partial<AnomalyOptions> = {}): AnomalyOptions => ({
  rules: texts.map(rule),
  beforeMs: 2_000,
  afterMs: 1_000,
  cooldownMs: 60_000,
  maxMarksPerHour: 3,
  budgetMs: 50,
  hidesValues: false,
  ...more,
});

describe('rules for anomalies', () => {
  it('are read with their topic, field and condition', () => {
    const read = (text: string): unknown => {
      const { topic, field, condition } = rule(text);
      return [topic, field, condition];
    };
    assert.deepEqual(read('*/imu.linear_acceleration.z  zscore > 6.5'), [
      '*/imu',
      'linear_acceleration.z',
      { kind: 'zscore', above: 6.5 },
    ]);
    assert.deepEqual(read('/a.x value<-1e3'), ['/a', 'x', { kind: 'value', side: 'below', limit: -1_000 }]);
    assert.deepEqual(read('/a nan'), ['/a', undefined, { kind: 'nan' }]);
    assert.deepEqual(read('/a.b.* stuck>2min'), ['/a', 'b.*', { kind: 'stuck', forMs: 120_000 }]);
    assert.deepEqual(read('/a rate<0.5x'), [
      '/a',
      undefined,
      { kind: 'rate', side: 'below', limit: 0.5, relative: true },
    ]);
    assert.deepEqual(read('/a rate>20Hz'), [
      '/a',
      undefined,
      { kind: 'rate', side: 'above', limit: 20, relative: false },
    ]);
    assert.equal(rule(' /a  rate < 20Hz ').text, '/a rate<20Hz');
  });

  it('are refused if they are not whole', () => {
    for (const text of [
      ...['', '/a', '/a zscore>6', '/a value>1', '/a.x rate<1Hz', '/a rate<1', '/a rate<0x', '/a.x zscore<6'],
      ...[
        '/a.x zscore>-1',
        '/a.x zscore>1 2',
        '/a.x value>NaN',
        '/a.x value>',
        '/a.x stuck>10',
        '/a.x stuck>0s',
      ],
      ...['/a nan>1', '/a. nan', '.x nan', `/${'a'.repeat(250)} nan`],
    ]) {
      assert.equal(parseAnomalyRule(text), undefined, text);
    }
  });
});

describe('the detectors of anomalies', () => {
  it('report the moment when a condition begins to hold, and only that', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(1, 5, 9, NaN, Infinity), { maxLength: 30 }), (values) => {
        const above = new ValueDetector({ kind: 'value', side: 'above', limit: 4 });
        const nan = new ValueDetector({ kind: 'nan' });
        values.forEach((value, index) => {
          const begins = (holds: (value: number) => boolean): boolean =>
            holds(value) && !(index > 0 && holds(values[index - 1]!));
          assert.equal(
            above.see(value, BigInt(index)) !== undefined,
            begins((one) => one > 4),
          );
          assert.equal(
            nan.see(value, BigInt(index)) !== undefined,
            begins((one) => !Number.isFinite(one)),
          );
        });
      }),
    );
  });

  it('call a value stuck once it has lasted, and again only after it moved', () => {
    const stuck = new ValueDetector({ kind: 'stuck', forMs: 3_000 });
    const seen = [1, 1, 1, 1, 1, 2, 2, 2, 2].map(
      (value, index) => stuck.see(value, BigInt(index) * S) !== undefined,
    );
    assert.deepEqual(seen, [false, false, false, true, false, false, false, false, true]);
  });

  it('score nothing before enough is known, and get used to what stays', () => {
    const detector = new ValueDetector({ kind: 'zscore', above: 8 });
    const noise = (index: number): number => Math.sin(index * 1.7);
    for (let i = 0; i < 29; i++) assert.equal(detector.see(i === 10 ? 1_000 : noise(i), 0n), undefined);
    for (let i = 29; i < 200; i++) assert.equal(detector.see(noise(i), 0n), undefined);
    assert.match(present(detector.see(50, 0n)), /^50 is [\d.]+ deviations off \(limit 8\)$/);
    for (let i = 0; i < 200; i++) detector.see(50 + noise(i), 0n);
    assert.equal(detector.see(50 + noise(200), 0n), undefined);
    assert.match(present(detector.see(noise(0), 0n)), /deviations off/);
  });

  it('notice that a topic becomes slower than usual, or stops', () => {
    const rate = new RateDetector({ kind: 'rate', side: 'below', limit: 0.5, relative: true });
    let now = 0n;
    const seen: [second: number, text: string][] = [];
    const run = (seconds: number, hz: number): void => {
      for (let i = 0; i < seconds * hz; i++) {
        now += S / BigInt(hz);
        const text = rate.arrive(now);
        if (text !== undefined) seen.push([Number(now / S), text]);
      }
    };
    run(40, 20);
    run(20, 4);
    run(20, 20);
    const [[second, text] = [0, '']] = seen;
    assert.deepEqual([seen.length, text], [1, 'comes at 4 Hz, below 10 Hz, usual are 20 Hz']);
    assert.ok(second > 40 && second <= 51, String(second));
    for (let i = 0; i < 12; i++) {
      now += S;
      const text = rate.tick(now);
      if (text !== undefined) seen.push([Number(now / S), text]);
    }
    assert.equal(seen.length, 2);
    assert.match(seen[1]![1], /comes at (0|[0-9.]+) Hz, below 10 Hz/);
  });

  it('take a pause of the recording for no silence', () => {
    const rate = new RateDetector({ kind: 'rate', side: 'below', limit: 5, relative: false });
    for (let at = 0n; at < 20n * S; at += S / 10n) assert.equal(rate.arrive(at), undefined);
    rate.rest();
    assert.equal(rate.tick(300n * S), undefined);
    for (let at = 300n * S; at < 320n * S; at += S / 10n) assert.equal(rate.arrive(at), undefined);
  });
});

describe('marks of anomalies', () => {
  const setUp = (
    options: AnomalyOptions,
  ): { marker: AnomalyMarker; clock: HandClock; marked: MarkEventRequest[]; fail: { next: boolean } } => {
    const clock = new HandClock();
    const marked: MarkEventRequest[] = [];
    const fail = { next: false };
    const mark = (request: MarkEventRequest): Promise<MarkedEvent> => {
      if (fail.next) return Promise.reject(new Error('no room'));
      marked.push(request);
      return Promise.resolve({ id: '', label: request.label, at: '0', from: '0', to: '0' });
    };
    return { marker: new AnomalyMarker(options, { clock, logger: silentLogger, mark }), clock, marked, fail };
  };
  const text = '/a.x value>1';
  const sighting = (topic: string): Parameters<AnomalyMarker['seen']>[0] => ({
    rule: rule(text),
    robot: 'r',
    topic,
    text: 'x is odd',
  });

  it('keep the cooldown of each rule and topic, and the bound of an hour for all', () => {
    const { marker, clock, marked } = setUp(optionsOf([text]));
    marker.seen(sighting('/a'));
    marker.seen(sighting('/a'));
    marker.seen(sighting('/b'));
    assert.deepEqual(
      marked.map(({ label }) => label),
      ['anomaly: /a x is odd', 'anomaly: /b x is odd'],
    );
    assert.deepEqual([marked[0]!.beforeS, marked[0]!.afterS], [2, 1]);
    clock.at += 60n * S;
    marker.seen(sighting('/a'));
    clock.at += 60n * S;
    marker.seen(sighting('/a'));
    assert.equal(marked.length, 3);
    clock.at += 3_480n * S;
    marker.seen(sighting('/a'));
    assert.equal(marked.length, 4);
    const { rules, suppressed } = marker.status();
    assert.deepEqual([rules[0]!.seen, rules[0]!.marked, suppressed], [6, 4, 2]);
  });

  it('are off if none are allowed, and anomalies are still counted', () => {
    const { marker, marked } = setUp(optionsOf([text], { maxMarksPerHour: 0 }));
    marker.seen(sighting('/a'));
    assert.deepEqual([marked.length, marker.status().rules[0]!.seen], [0, 1]);
  });

  it('that fail are counted', async () => {
    const { marker, fail } = setUp(optionsOf([text]));
    fail.next = true;
    marker.seen(sighting('/a'));
    await new Promise((done) => setImmediate(done));
    assert.equal(marker.status().failedMarks, 1);
  });
});

describe('looking for anomalies', () => {
  const set = (
    stepNs: bigint,
    more: Partial<AnomalyOptions> = {},
  ): {
    watch: AnomalyWatch;
    clock: HandClock;
    send: (message: Message) => void;
    listeners: Set<(message: Message) => void>;
  } => {
    const clock = new HandClock();
    clock.stepNs = stepNs;
    const listeners = new Set<(message: Message) => void>();
    const watch = new AnomalyWatch(optionsOf(['/bytes stuck>1s'], more), {
      clock,
      logger: silentLogger,
      mark: () => Promise.reject(new Error('nothing is marked here')),
      tap: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    });
    return { watch, clock, listeners, send: (message) => listeners.forEach((listener) => listener(message)) };
  };
  /** uint8[] data of so many bytes. */
  const bytes = (length: number): Message => {
    const data = Buffer.alloc(8 + length);
    data[1] = 1;
    data.writeUInt32LE(length, 4);
    return { ...testMessage(testChannel('/bytes'), ''), data };
  };
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
  };

  it('takes no more than its time per second, and counts skipped messages', async () => {
    // Each look at the clock takes 1 ms: some two messages a turn, at most five a second.
    const { watch, clock, send } = set(1_000_000n, { budgetMs: 5 });
    for (let i = 0; i < 100; i++) send(bytes(10));
    await settled();
    const first = present(watch.status());
    assert.ok(first.looked > 0 && first.looked <= 5, String(first.looked));
    assert.equal(first.looked + first.skipped, 100);
    clock.at += S;
    for (let i = 0; i < 3; i++) send(bytes(10));
    await settled();
    assert.ok(present(watch.status()).looked > first.looked);
  });

  it('does nothing in the turn in which a message comes but note it, within bounds', async () => {
    const { watch, send } = set(0n);
    for (let i = 0; i < 5; i++) send(bytes(1_000_000));
    send(bytes(2_000_000));
    assert.equal(present(watch.status()).looked, 0);
    await settled();
    // 4 MiB wait at most, and what is above 1 MiB is not looked into at all.
    assert.deepEqual([present(watch.status()).looked, present(watch.status()).skipped], [4, 2]);
  });

  it('listens to nothing without rules, and no longer after its end', () => {
    const { watch, listeners } = set(0n);
    assert.equal(listeners.size, 1);
    watch.reconfigure(optionsOf([]));
    assert.equal(listeners.size, 0);
    watch.reconfigure(optionsOf(['/a nan']));
    assert.equal(listeners.size, 1);
    watch[Symbol.dispose]();
    assert.equal(listeners.size, 0);
  });
});
