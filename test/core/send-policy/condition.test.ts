import assert from 'node:assert/strict';
import { parseAlternative } from '../../../src/core/send-policy/condition.js';
import { judge, reasonOf, type SendFacts } from '../../../src/core/send-policy/evaluate.js';
import type { FieldValue } from '../../../src/core/send-policy/topic-condition.js';
import type { TopicValue } from '../../../src/core/send-policy/topic-values.js';
import { unknownNetwork } from '../../../src/core/send-policy/facts.js';
import { isTimeZone, localTime } from '../../../src/core/send-policy/local-time.js';
import { present } from '../../../src/core/present.js';

const depot: SendFacts = {
  interface: { value: 'wlan0' },
  ssid: { value: 'Hall 2' },
  metered: { value: false },
  linkBitsPerS: { value: 54e6 },
  minute: 23 * 60,
  topics: { values: { unknown: 'not set' }, nowNs: 0n, maxAgeMs: 60_000 },
};

const met = (facts: SendFacts, ...texts: string[]): boolean =>
  judge(
    texts.map((text) => present(parseAlternative(text))),
    facts,
  ).met;

describe('conditions of sync.when', () => {
  it('must all hold in one alternative, and one alternative is enough', () => {
    assert.ok(met(depot));
    assert.ok(met(depot, 'interface=eth0,wlan* ssid="Hall 1","Hall 2" metered=no link_rate=54Mbit'));
    assert.ok(!met(depot, 'interface=wlan0 metered=yes'));
    assert.ok(met(depot, 'interface=eth0', 'ssid="Hall*"'));
    assert.ok(!met(depot, 'link_rate=0.1Gbit/s'));
  });

  it('have windows that may span midnight and do not contain their end', () => {
    const at = (minute: number, text: string): boolean => met({ ...depot, minute }, text);
    assert.deepEqual(
      [19 * 60 + 59, 20 * 60, 0, 359, 360].map((minute) => at(minute, 'hours=20:00-06:00')),
      [false, true, true, true, false],
    );
    assert.deepEqual(
      [0, 719, 720, 1439].map((minute) => at(minute, 'hours=12:00-24:00')),
      [false, false, true, true],
    );
    assert.ok(at(13 * 60, 'hours=06:00-07:00,12:30-13:30'));
  });

  it('count as not met when they cannot be known, with the reason', () => {
    const facts = { ...depot, ...unknownNetwork('the driver is gone'), minute: 0 };
    const when = ['ssid=Depot hours=00:00-01:00', 'metered=no'].map((text) =>
      present(parseAlternative(text)),
    );
    const verdict = judge(when, facts);
    assert.equal(verdict.met, false);
    assert.deepEqual(
      verdict.conditions.map(({ condition, alternative, state }) => [condition, alternative, state]),
      [
        ['ssid=Depot', 0, 'unknown'],
        ['hours=00:00-01:00', 0, 'met'],
        ['metered=no', 1, 'unknown'],
      ],
    );
    const why = 'unknown: the driver is gone';
    assert.equal(reasonOf(verdict), `ssid=Depot (${why}), or metered=no (${why})`);
  });

  it('match no interface and no network while the robot has no route', () => {
    const none = { ...depot, interface: { value: '' }, ssid: { value: '' } };
    assert.ok(!met(none, 'interface=*'));
    assert.ok(!met(none, 'ssid=*'));
  });

  describe('of topics', () => {
    const S = 1_000_000_000n;
    const now = 1_000n * S;
    const value = (given: FieldValue | undefined, more: Partial<TopicValue> = {}): TopicValue => ({
      ...{ topic: '/dock/state', field: 'data', robot: 'r1', at: String(now - S) },
      ...(given === undefined ? {} : { value: given }),
      ...more,
    });
    const facts = (...values: TopicValue[]): SendFacts => ({
      ...depot,
      topics: { values: { value: values }, nowNs: now, maxAgeMs: 60_000 },
    });
    const stateOf = (text: string, ...values: TopicValue[]): unknown =>
      judge([present(parseAlternative(text))], facts(...values)).conditions[0]?.state;

    it('are met while the field is true, or compares as the condition says', () => {
      const cases: [text: string, value: FieldValue, state: string][] = [
        ['topic=/dock/state', true, 'met'],
        ['topic=/dock/state', false, 'unmet'],
        ['topic=/dock/state', 3, 'met'],
        ['topic=/dock/state', 'yes', 'unmet'],
        ['topic=/dock/state==false', false, 'met'],
        ['topic=/dock/state!=2', 1, 'met'],
        ['topic=/dock/state>=0.5', 0.5, 'met'],
        ['topic=/dock/state>0.5', 0.5, 'unmet'],
        ['topic=/dock/state<-1e2', -101, 'met'],
        ['topic=/dock/state<=3', 4, 'unmet'],
        ['topic=/dock/state==IDLE', 'IDLE', 'met'],
        ['topic=/dock/state>3', 'much', 'unknown'],
        ['topic=/dock/state==IDLE', 3, 'unknown'],
      ];
      for (const [text, given, state] of cases) assert.equal(stateOf(text, value(given)), state, text);
      const nested = value(1, { topic: '/battery', field: 'status.charging' });
      assert.equal(stateOf('topic=/battery:status.charging', nested), 'met');
    });

    it('are judged by what a recorder compared, without the value', () => {
      const compared = (meets: Record<string, boolean>): TopicValue => value(undefined, { meets });
      assert.equal(stateOf('topic=/dock/state>=0.80', compared({ '>=0.8': true, '==true': false })), 'met');
      assert.equal(stateOf('topic=/dock/state', compared({ '>=0.8': true, '==true': false })), 'unmet');
      assert.equal(stateOf('topic=/dock/state==IDLE', compared({ '==true': true })), 'unknown');
      const reasonFor = (meets: Record<string, boolean>): string | undefined =>
        judge([present(parseAlternative('topic=/dock/state<3'))], facts(compared(meets))).conditions[0]
          ?.reason;
      assert.equal(reasonFor({ '<3': true }), 'data of /dock/state is <3');
      assert.equal(reasonFor({ '<3': false }), 'data of /dock/state is not <3');
      assert.equal(reasonFor({}), 'unknown: data of /dock/state was not compared with <3');
    });

    it('need a value of every robot that has the topic, and none of them too old', () => {
      const text = 'topic=/dock/state';
      const other = { robot: 'r2' };
      assert.equal(stateOf(text, value(true), value(true, other)), 'met');
      assert.equal(stateOf(text, value(true), value(false, other)), 'unmet');
      const old = { ...other, at: String(now - 60n * S) };
      assert.equal(stateOf(text, value(true), value(true, old)), 'met');
      assert.equal(stateOf(text, value(true), value(true, { ...old, at: String(now - 61n * S) })), 'unknown');
      assert.equal(stateOf(text, value(true, { at: String(now + 6n * S) })), 'unknown');
    });

    it('are unknown without a message or a readable one, with the reason', () => {
      const reason = (...values: TopicValue[]): string | undefined =>
        judge([present(parseAlternative('topic=/dock/state'))], facts(...values)).conditions[0]?.reason;
      assert.equal(reason(), 'unknown: the recorder has no message of /dock/state');
      assert.equal(
        reason(value(true, { at: '0' })),
        'unknown: the last message of /dock/state is older than 60 s',
      );
      assert.equal(
        reason(value(undefined, { problem: 'no field data' })),
        'unknown: /dock/state: no field data',
      );
      assert.equal(reason(value(true)), 'data of /dock/state is true');
    });

    it('may name several topics in one alternative, each once', () => {
      const both = parseAlternative('topic=/dock/state topic=/battery:percentage>=0.8 metered=no');
      assert.equal(both?.conditions.length, 3);
      for (const wrong of [
        'topic=',
        'topic=/a,/b',
        'topic=/a:',
        'topic=/a:1x',
        'topic=/a==',
        'topic=/a>true',
        'topic=/a>=IDLE',
        'topic=/a=1',
        'topic=/a topic=/a',
      ]) {
        assert.equal(parseAlternative(wrong), undefined, wrong);
      }
    });
  });

  it('are refused in any other form', () => {
    for (const wrong of [
      '',
      'ssid',
      'ssid=',
      'ssid=a,,b',
      'ssid="a',
      'ssid="',
      'wireless=a',
      'metered=maybe',
      'metered=yes,no',
      'metered=no metered=no',
      'link_rate=10',
      'link_rate=0Mbit',
      'hours=8-9',
      'hours=08:00-08:00',
      'hours=24:00-06:00',
      'hours=08:60-09:00',
      'hours=08:00-25:00',
      'hours=08:00-09:00-10:00',
      'interface=eth0ssid=a"',
      `interface=${'x'.repeat(400)}`,
    ]) {
      assert.equal(parseAlternative(wrong), undefined, wrong);
    }
  });
});

describe('the local time of the send policy', () => {
  it('is that of the zone, through a change of summer time', () => {
    const at = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000_000n;
    const berlin = (iso: string): unknown => localTime(at(iso), 'Europe/Berlin');
    assert.deepEqual(berlin('2026-12-01T22:59:00Z'), { day: '2026-12-01', minute: 1439 });
    assert.deepEqual(berlin('2026-12-01T23:00:00Z'), { day: '2026-12-02', minute: 0 });
    assert.deepEqual(berlin('2026-10-25T00:30:00Z'), { day: '2026-10-25', minute: 150 });
    assert.deepEqual(berlin('2026-10-25T01:30:00Z'), { day: '2026-10-25', minute: 150 });
  });

  it('knows zones by name', () => {
    assert.deepEqual(['', 'UTC', 'Asia/Tokyo', 'Mars/Base'].map(isTimeZone), [true, true, true, false]);
  });
});
