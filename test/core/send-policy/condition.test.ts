import assert from 'node:assert/strict';
import { parseAlternative } from '../../../src/core/send-policy/condition.js';
import { judge, reasonOf, type SendFacts } from '../../../src/core/send-policy/evaluate.js';
import { unknownNetwork } from '../../../src/core/send-policy/facts.js';
import { isTimeZone, localTime } from '../../../src/core/send-policy/local-time.js';
import { present } from '../../../src/core/present.js';

const depot: SendFacts = {
  interface: { value: 'wlan0' },
  ssid: { value: 'Hall 2' },
  metered: { value: false },
  linkBitsPerS: { value: 54e6 },
  minute: 23 * 60,
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
    const facts = { ...unknownNetwork('the driver is gone'), minute: 0 };
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
