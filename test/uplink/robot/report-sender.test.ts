import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import type { SegmentContent } from '../../../src/core/monitoring.js';
import { Random } from '../../../src/core/random.js';
import { ReportedState } from '../../../src/ground/reported-state.js';
import type { ReportedSegment, RobotReport } from '../../../src/uplink/protocol/robot-report.js';
import { ReportSender, type RobotFacts } from '../../../src/uplink/robot/report-sender.js';
import { SimulatedClock } from '../../support/simulated-clock.js';

const alert = { id: 'drops', severity: 'warning', summary: 'dropped', sinceMs: 1 } as const;
const event = (id: string): RobotFacts['events'][number] => ({ id, label: id, at: '5', from: '4', to: '6' });
const quiet: RobotFacts = {
  figures: { state: 'recording', channels: 3 },
  ...{ alerts: [], segments: [{ segment: 'a', state: 'open', bytes: 1, gaps: 0 }], events: [] },
};

describe('A robot that reports', () => {
  let clock: SimulatedClock;
  let sender: ReportSender;
  let ground: ReportedState;
  beforeEach(() => {
    clock = new SimulatedClock();
    clock.nowMs = 1_000;
    sender = new ReportSender(4, clock);
    ground = new ReportedState();
  });

  const take = (facts: RobotFacts): RobotReport => present(sender.next(facts));

  it('sends everything first, then only changes, and nothing while nothing changes', () => {
    const first = take(quiet);
    assert.deepEqual([first.complete, first.sequence, first.epoch], [true, 1, 4]);
    assert.deepEqual(first.figures, quiet.figures);
    assert.equal(sender.next(quiet), undefined);
    const changed = take({ ...quiet, figures: { state: 'paused' }, alerts: [alert], events: [event('x')] });
    assert.deepEqual(changed, {
      ...{ epoch: 4, sequence: 2, complete: false, timeNs: 1_000_000_000n },
      ...{ figures: { state: 'paused' }, unknown: ['channels'] },
      ...{ alerts: [alert], segments: [], events: [event('x')] },
    });
  });

  it('sends tags when they change, and all of them with everything; without them they are unknown', () => {
    const tagged = { ...quiet, tags: { mission: 'm3' } };
    const first = take(tagged);
    assert.deepEqual(first.tags, tagged.tags);
    ground.apply(first, 1n);
    assert.equal(sender.next(tagged), undefined);
    const none = take({ ...quiet, tags: {} });
    assert.deepEqual([none.complete, none.tags], [false, {}]);
    ground.apply(none, 2n);
    assert.deepEqual(ground.tags, {});
    sender.requestComplete();
    assert.deepEqual(take(tagged).tags, tagged.tags);
    // A recorder of an earlier version says nothing about tags.
    sender.requestComplete();
    ground.apply({ ...take(quiet), sequence: 3 }, 3n);
    assert.equal(ground.tags, undefined);
  });

  it('says what segments hold once, two in a report, and again on request', () => {
    const holds = (n: number): SegmentContent => ({
      topics: [{ topic: `/t${n}`, type: 'T', encoding: 'cdr' }],
      tags: { mission: `m${n}` },
    });
    const [a, b, c] = [holds(1), holds(2), holds(3)];
    const sealed = (segment: string, own: SegmentContent): ReportedSegment => ({
      ...{ segment, state: 'sealed', bytes: 1, gaps: 0, holds: own },
    });
    const facts = { ...quiet, segments: [sealed('1', c), sealed('2', a), sealed('3', b), sealed('4', a)] };
    const numbers = ({ segments }: RobotReport): unknown[] =>
      segments.map(({ segment, content }) => [segment, content]);
    const said = ({ contents = [] }: RobotReport): unknown[] =>
      contents.map(({ number, tags }) => [number, tags]);
    const first = take(facts);
    assert.deepEqual(said(first), [
      [1, a.tags],
      [2, b.tags],
    ]);
    assert.deepEqual(numbers(first), [
      ['4', 1],
      ['3', 2],
      ['2', 1],
      ['1', undefined],
    ]);
    const second = take(facts);
    assert.deepEqual([said(second), numbers(second)], [[[3, c.tags]], [['1', 3]]]);
    assert.equal(sender.next(facts), undefined);
    clock.nowMs += 31_000;
    const complete = take(facts);
    assert.deepEqual([complete.complete, said(complete), complete.segments.length], [true, [], 4]);
    sender.requestComplete();
    assert.equal(said(take(facts)).length, 2);
  });

  it('sends everything again after 30 s, and on request', async () => {
    take(quiet);
    await clock.advance(29_000);
    assert.equal(sender.next(quiet), undefined);
    await clock.advance(1_000);
    assert.equal(take(quiet).complete, true);
    sender.requestComplete();
    assert.deepEqual(take(quiet).segments, quiet.segments);
  });

  it('sends a long list of segments in parts, the newest first', () => {
    const segments = Array.from({ length: 450 }, (_, i): ReportedSegment => {
      return { segment: String(i).padStart(4, '0'), state: 'sealed', bytes: i, gaps: 0 };
    });
    const sizes: number[] = [];
    for (let i = 0; i < 3; i++) {
      const part = take({ ...quiet, segments });
      sizes.push(part.segments.length);
      assert.equal(part.segments[0]?.segment, segments[449 - 200 * i]?.segment);
      ground.apply(part, 1n);
    }
    assert.deepEqual(sizes, [200, 200, 50]);
    assert.equal(sender.next({ ...quiet, segments }), undefined);
    assert.deepEqual(ground.segments, segments);
  });

  it('is known to a ground that gets every report, and is unknown from a missing one to the next complete one', () => {
    const random = new Random(3);
    let unknown = 0;
    for (let round = 0; round < 2_000; round++) {
      const facts = {
        ...quiet,
        figures: { state: `s${random.bits() % 3}`, ...(random.unit() < 0.5 ? { etaMs: round } : {}) },
        alerts: random.unit() < 0.2 ? [alert] : [],
      };
      const report = sender.next(facts);
      if (report === undefined) continue;
      if (random.unit() < 0.05) continue;
      const knows = ground.apply(report, BigInt(round));
      if (random.unit() < 0.1) assert.equal(ground.apply(report, 0n), true, 'a doubled one is ignored');
      if (!knows) sender.requestComplete();
      if (ground.figures === undefined) unknown++;
      else assert.deepEqual([ground.figures, ground.alerts], [facts.figures, facts.alerts]);
    }
    assert.ok(unknown > 10, `${unknown}`);
  });

  it('of another epoch is not known before its complete report', () => {
    ground.apply(take(quiet), 1n);
    assert.equal(ground.apply({ ...take({ ...quiet, figures: {} }), epoch: 5, sequence: 1 }, 2n), false);
    assert.equal(ground.figures, undefined);
  });
});
