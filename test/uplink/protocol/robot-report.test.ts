import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { present } from '../../../src/core/present.js';
import { Random } from '../../../src/core/random.js';
import { aboutFigure, figureNames, figures, figuresOf } from '../../../src/uplink/protocol/robot-figures.js';
import { reportLimits, type RobotReport } from '../../../src/uplink/protocol/robot-report.js';
import { reportText } from '../../../src/uplink/protocol/report-text.js';
import {
  decodeRobotMessage,
  encodeRobotMessage,
  MAX_MESSAGE_BYTES,
} from '../../../src/uplink/protocol/uplink-messages.js';
import type { FigureSource } from '../../../src/uplink/protocol/robot-figures.js';
import { recorderStatus, syncStatus } from '../../monitors/fake-recorder.js';

const { root } = protobuf.parse(readFileSync('proto/holdfast/uplink.proto', 'utf8'), { keepCase: true });
const Status = root.lookupType('holdfast.uplink.Status');

const report: RobotReport = {
  ...{ epoch: 3, sequence: 7, complete: false },
  figures: { state: 'stalled', stalledReason: '', channels: 0, pendingBytes: 2 ** 50, lastSyncAt: '18' },
  unknown: ['link', 'etaMs'],
  alerts: [{ id: 'drops', severity: 'warning', summary: 'messages are dropped', sinceMs: 12 }],
  segments: [{ segment: 'a', state: 'evicted', bytes: 5, messages: 0, gaps: 1 }],
  events: [{ id: 'e', label: 'gate', at: '5', from: '4', to: '6' }],
  tags: { mission: 'dock 3', site: 'größe' },
};
const encoded = (one: RobotReport): Uint8Array => encodeRobotMessage({ kind: 'report', report: one });
const decoded = (one: RobotReport): unknown => decodeRobotMessage(encoded(one));
const source: FigureSource = { recorder: recorderStatus(), sync: syncStatus() };

describe('Reports of a robot', () => {
  it('are read as they were written, also without alerts or tags, which is not the same as none', () => {
    const { alerts, ...without } = report;
    assert.equal(alerts?.length, 1);
    for (const one of [report, without, { ...report, alerts: [] }, { ...report, tags: {} }])
      assert.deepEqual(decoded(one), { kind: 'report', report: one });
  });

  it('are what the shipped .proto says, for a parser that knows only that', () => {
    const type = root.lookupType('holdfast.uplink.RobotMessage');
    const read = type.toObject(type.decode(encoded(report)), { longs: String, enums: String });
    assert.deepEqual(read, {
      report: {
        ...{ epoch: '3', sequence: '7', unknown: [14, 19] },
        status: {
          ...{ state: 'stalled', stalled_reason: '', channels: 0 },
          ...{ pending_bytes: 2 ** 50, last_sync_at: '18' },
        },
        alerts: { alerts: [{ id: 'drops', summary: 'messages are dropped', since_ms: 12 }] },
        segments: [{ segment: 'a', state: 'SEGMENT_STATE_EVICTED', bytes: '5', messages: '0', gaps: '1' }],
        events: [{ id: 'e', label: 'gate', at: '5', from: '4', to: '6' }],
        tags: { tags: { mission: 'dock 3', site: 'größe' } },
      },
    });
  });

  it('have the figures of the shipped .proto, each described by the status that it is taken from', () => {
    const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const types = { text: 'string', time: 'sfixed64', number: 'double' } as const;
    assert.deepEqual(
      figureNames.map((name) => [snake(name), figures[name].number, types[figures[name].kind]]),
      Status.fieldsArray.map(({ name, id, type }) => [name, id, type]),
    );
    for (const name of figureNames) assert.notEqual(aboutFigure(name), '', name);
  });

  it('have rounded figures, so that what always moves is not always sent', () => {
    const { recorder } = source;
    const close = { ...recorder, lossWindow: { ...recorder.lossWindow, ms: 14.2 } };
    const far = { ...recorder, lossWindow: { ...recorder.lossWindow, ms: 25 } };
    assert.equal(figuresOf({ ...source, recorder: close }).lossWindowMs, 10);
    assert.equal(figuresOf({ ...source, recorder: far }).lossWindowMs, 30);
    assert.equal(figuresOf({ recorder }).link, undefined, 'sync does not answer');
  });

  const refused: Record<string, [RobotReport, RegExp]> = {
    'no number': [{ ...report, sequence: 0 }, /sequence 0 of a report/],
    'a figure that is not finite': [{ ...report, figures: { channels: NaN } }, /a figure is not finite/],
    'a long text': [{ ...report, figures: { lastError: 'ü'.repeat(129) } }, /a text of 258 bytes/],
    'too many segments': [
      { ...report, segments: Array.from({ length: 201 }, () => report.segments[0]!) },
      /more than 200 segments/,
    ],
    'too many alerts': [
      { ...report, alerts: Array.from({ length: 65 }, () => present(report.alerts)[0]!) },
      /more than 64 alerts/,
    ],
    'too many tags': [
      { ...report, tags: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`t${n}`, 'x'])) },
      /more than 32 tags/,
    ],
    'what is not a tag': [{ ...report, tags: { 'No name': 'x' } }, /not a tag, allowed/],
    'too many events': [
      { ...report, events: Array.from({ length: 33 }, () => report.events[0]!) },
      /more than 32 events/,
    ],
  };
  for (const [name, [one, reason]] of Object.entries(refused)) {
    it(`with ${name} are refused with the reason`, () => {
      const message = decoded(one) as { kind: string; reason: string };
      assert.equal(message.kind, 'unusable');
      assert.match(message.reason, reason);
    });
  }

  it('of the largest size fit into one message', () => {
    const text = 'x'.repeat(reportLimits.textBytes);
    const of = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
    const times = { firstLogTime: '9', lastLogTime: '9', sealedAt: '9' };
    const segment = { segment: text, priority: text, state: 'sealed', ...times } as const;
    const largest: RobotReport = {
      ...report,
      figures: { state: text, stalledReason: text, link: text, lastError: text },
      alerts: of(reportLimits.alerts, { id: text, severity: 'critical', summary: text, sinceMs: 1.5 }),
      segments: of(reportLimits.segments, {
        ...segment,
        ...{ bytes: 2 ** 53 - 1, messages: 2 ** 53 - 1, gaps: 2 ** 53 - 1 },
      }),
      events: of(reportLimits.events, { id: text, label: text, at: '9', from: '9', to: '9' }),
      tags: Object.fromEntries(of(reportLimits.tags, '€'.repeat(200)).map((tag, n) => [`tag${n}`, tag])),
    };
    assert.ok(encoded(largest).byteLength < MAX_MESSAGE_BYTES);
    assert.equal((decoded(largest) as { kind: string }).kind, 'report');
  });

  it('made of random damage or cut off never throw', () => {
    const random = new Random(7);
    const whole = encoded(report);
    const kinds = new Map<string, number>();
    for (let round = 0; round < 10_000; round++) {
      const bytes = Uint8Array.from(whole.subarray(0, whole.length - (round % 3)));
      for (let hits = 1 + (random.bits() % 3); hits > 0; hits--)
        bytes[random.bits() % bytes.length] = random.bits() & 0xff;
      const { kind } = decodeRobotMessage(bytes);
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    assert.ok((kinds.get('report') ?? 0) > 100 && (kinds.get('unusable') ?? 0) > 100, String([...kinds]));
  });

  it('shorten a text at a character', () => {
    assert.equal(reportText('short'), 'short');
    const cut = reportText('ü'.repeat(200));
    assert.ok(Buffer.byteLength(cut) <= reportLimits.textBytes && /^ü+…$/.test(cut), cut);
  });
});
