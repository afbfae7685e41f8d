import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DrainShare } from '../../../src/sources/ros/drain-share.js';
import { guard } from '../../../src/sources/ros/guard.js';
import { HandOver } from '../../../src/sources/ros/hand-over.js';
import { readClock } from '../../../src/sources/ros/sim-clock.js';
import { recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';
import { sleep } from '../../../src/testing/waiting.js';

describe('A guarded callback', () => {
  it('never throws, and reports the 1st, 10th and 100th error', () => {
    const lines: LogLine[] = [];
    const guarded = guard('x', () => assert.fail('broken'), recordingLogger(lines));
    for (let i = 0; i < 150; i++) assert.equal(guarded(), undefined);
    assert.deepEqual(
      lines.map(({ fields }) => fields?.failures),
      [1, 10, 100],
    );
    assert.match(JSON.stringify(lines[0]), /broken/);
  });

  it('returns the fallback for an error, even if the fallback throws too', () => {
    const lines: LogLine[] = [];
    const logger = recordingLogger(lines);
    const thrown = new Error('no');
    const fail = (): string => {
      throw thrown;
    };
    assert.equal(guard('x', fail, logger, (error) => (error === thrown ? 'refused' : 'other'))(), 'refused');
    assert.equal(guard('x', fail, logger, fail)(), undefined);
  });

  it('reports a promise that is rejected, and passes results and arguments on', async () => {
    const lines: LogLine[] = [];
    const logger = recordingLogger(lines);
    await assert.rejects(async () => guard('x', () => Promise.reject(new Error('late')), logger)());
    await sleep(1);
    assert.match(JSON.stringify(lines), /late/);
    const add = guard('add', (a: number, b: number) => a + b, logger);
    assert.equal(add(2, 3), 5);
    assert.equal(add.length, 2, 'rclnodejs goes by the number of parameters');
  });

  it('survives a logger that throws', () => {
    const broken = (): never => assert.fail('logger');
    const logger = { debug: broken, info: broken, warn: broken, error: broken };
    assert.equal(guard('x', broken, logger)(), undefined);
  });
});

describe('The share of a topic in a wake-up', () => {
  it('is all of it alone, and shrinks with the number of busy topics, down to a least', () => {
    const share = new DrainShare();
    const alone = share.messages;
    for (let i = 0; i < 8; i++) share.begin();
    assert.equal(share.messages, alone, 'what others do shows at the next wake-up');
    share.nextWake();
    assert.equal(share.messages, alone / 8);
    for (let i = 0; i < 100_000; i++) share.begin();
    share.nextWake();
    assert.ok(share.messages >= 16 && share.messages < alone / 100);
    assert.ok(share.bytes >= 1024);
    share.nextWake();
    assert.equal(share.messages, alone);
  });
});

describe('A hand-over between two subscriptions', () => {
  it('lets every message through once, whichever side brings it, equal payloads counted', () => {
    // The old side misses some messages, the new one begins late: both hear a part of one stream, in order.
    const stream = fc.array(fc.record({ payload: fc.nat(3), old: fc.boolean(), late: fc.boolean() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(stream, fc.infiniteStream(fc.boolean()), (messages, turns) => {
        const sides = {
          old: messages.filter(({ old }) => old),
          new: messages.filter(({ late, old }) => late || !old),
        };
        const handOver = new HandOver();
        const out = new Map<number, number>();
        const at = { old: 0, new: 0 };
        while (at.old < sides.old.length || at.new < sides.new.length) {
          const isOld = turns.next().value === true;
          const side = at.new >= sides.new.length || (isOld && at.old < sides.old.length) ? 'old' : 'new';
          const { payload } = sides[side][at[side]++]!;
          if (handOver.accept(side, Uint8Array.of(payload))) out.set(payload, (out.get(payload) ?? 0) + 1);
        }
        for (const payload of [0, 1, 2, 3]) {
          const count = (side: 'old' | 'new'): number =>
            sides[side].filter((message) => message.payload === payload).length;
          assert.equal(out.get(payload) ?? 0, Math.max(count('old'), count('new')));
        }
      }),
    );
  });
});

describe('The end of a hand-over', () => {
  const of = (text: string): Uint8Array => Buffer.from(text);
  const both = (handOver: HandOver, ...texts: string[]): void => {
    for (const text of texts) {
      assert.equal(handOver.accept('old', of(text)), true);
      assert.equal(handOver.accept('new', of(text)), false);
    }
  };

  it('refuses copies that the new subscription delivers late', () => {
    const handOver = new HandOver();
    both(handOver, 'a', 'b');
    assert.ok(handOver.accept('old', of('c')) && handOver.accept('old', of('d')));
    handOver.endOld();
    assert.equal(handOver.isOver, false);
    assert.deepEqual(
      ['c', 'd', 'e', 'c'].map((text) => handOver.accept('new', of(text))),
      [false, false, true, true],
    );
    assert.equal(handOver.isOver, true);
  });

  it('refuses nothing if both have the last message, or payloads are all alike', () => {
    const handOver = new HandOver();
    // The new subscription matched after three messages.
    for (let i = 0; i < 3; i++) assert.ok(handOver.accept('old', of('same')));
    both(handOver, 'same');
    handOver.endOld();
    assert.ok(handOver.isOver && handOver.accept('new', of('same')));
  });

  it('refuses nothing if the new subscription has messages that the old one cannot receive', () => {
    const handOver = new HandOver();
    both(handOver, 'a');
    assert.ok(handOver.accept('new', of('b')));
    handOver.endOld();
    assert.ok(handOver.isOver && handOver.accept('new', of('c')));
  });
});

describe('A message of /clock', () => {
  it('is read in either byte order', () => {
    const little = Buffer.from('00010000' + '05000000' + '07000000', 'hex');
    const big = Buffer.from('00000000' + '00000005' + '00000007', 'hex');
    assert.equal(readClock(little), 5_000_000_007n);
    assert.equal(readClock(big), 5_000_000_007n);
    assert.equal(readClock(Buffer.alloc(11)), undefined);
  });
});
