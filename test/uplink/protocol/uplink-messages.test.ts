import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { Random } from '../../../src/core/random.js';
import type { FetchRequest } from '../../../src/core/fetch-request.js';
import type { FetchUpdate } from '../../../src/uplink/protocol/fetch-update.js';
import type { FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import { TelemetryDecoder } from '../../../src/uplink/protocol/telemetry-decoder.js';
import type { TelemetryFrame } from '../../../src/uplink/protocol/telemetry-frame.js';
import {
  decodeGroundMessage,
  decodeRobotMessage,
  encodeGroundMessage,
  encodeRobotMessage,
  MAX_MESSAGE_BYTES,
  type GroundMessage,
  type RobotMessage,
} from '../../../src/uplink/protocol/uplink-messages.js';
import { everyField, field } from './uplink-world.js';

const proto = readFileSync('proto/holdfast/uplink.proto', 'utf8');
const { root } = protobuf.parse(proto, { keepCase: true });
const reflect = (name: string, bytes: Uint8Array): Record<string, unknown> => {
  const type = root.lookupType(`holdfast.uplink.${name}`);
  return type.toObject(type.decode(bytes), { longs: String, enums: String });
};

const catalogue = { version: 3, tickNs: 20_000_000, fields: everyField };

const fullFrame: TelemetryFrame = {
  ...{ epoch: 2 ** 40, sequence: 7, firstTick: 2 ** 45, ticks: 1, timeNs: -1_795_000_000_123_456_789n },
  full: { run: 2n ** 64n - 2n, catalogueVersion: 3, catalogue, values: everyField.map((_, i) => i / 3) },
  changes: [],
};

const deltaFrame: TelemetryFrame = {
  ...{ epoch: 3, sequence: 8, firstTick: 600, ticks: 10 },
  changes: [
    { position: 2, kind: 'residual', residual: -9 },
    { position: 5, kind: 'exact', value: 1e300 },
    { position: 17, kind: 'absent' },
    { position: 40, kind: 'residual', residual: 2 ** 31 - 1 },
    { position: 41, kind: 'absent' },
  ],
};

const outboxSamples = [
  { tick: 5, timeNs: -3n, values: everyField.map((_, i) => i / 7) },
  { tick: 2 ** 45, timeNs: 1_795_000_000_123_456_789n, values: everyField.map(() => -1) },
];
const fetchUpdate: FetchUpdate = {
  ...{ id: 'ab'.repeat(16), place: '0123456789abcdef', state: 'sending', at: '5', reason: 'größe' },
  ...{ matched: { segments: 3, bytes: 2 ** 50 }, stored: { segments: 1, bytes: 7 } },
  ...{ sendingBytes: 9, isRecording: true, goneSegments: 400 },
  segments: [
    { name: 'a.r', key: 'robot=r/a.mcap', bytes: 7, state: 'parked', reason: 'too large' },
    { name: 'b.r', key: 'robot=r/b.mcap', bytes: 0, state: 'waiting', reason: '' },
  ],
  gone: [{ name: 'c.r', messages: 3, bytes: 8, at: '6', reason: 'quota' }],
};
const fetchRequest: FetchRequest = {
  ...{ format: 'holdfast-request', version: 1, id: 'cd'.repeat(16), robot: 'robot_ü', from: '3' },
  ...{ to: String(2n ** 64n - 1n), topics: ['/a*', '*'], createdAt: '1', expiresAt: '2', by: 'ada' },
};
const robotMessages: readonly RobotMessage[] = [
  { kind: 'hello', protocol: 1, robot: 'robot_ü', version: '0.1.0', vin: '1ZZZ5A3T0RF000001' },
  { kind: 'telemetry', frame: fullFrame },
  { kind: 'telemetry', frame: deltaFrame },
  { kind: 'telemetry', frame: { ...deltaFrame, timeNs: 5n, changes: [] } },
  { kind: 'hello', protocol: 1, robot: 'r', version: '', vin: '', outbox: true },
  { kind: 'outbox', run: 2n ** 64n - 2n, catalogue, samples: outboxSamples },
  { kind: 'outbox', run: 1n, samples: outboxSamples },
  { kind: 'outbox', run: 1n, catalogue: { ...catalogue, vin: '1ZZZ5A3T0RF000001' }, samples: outboxSamples },
  { kind: 'hello', protocol: 1, robot: 'r', version: '', vin: '', requests: true },
  { kind: 'fetch', update: fetchUpdate },
];
const groundMessages: readonly GroundMessage[] = [
  { kind: 'welcome', protocol: 1, epoch: 2 ** 52 },
  { kind: 'full_request', epoch: 12, catalogue: true },
  { kind: 'full_request', epoch: 12, catalogue: false },
  { kind: 'welcome', protocol: 1, epoch: 7, history: true },
  { kind: 'stored', run: 2n ** 64n - 2n, firstTick: 2 ** 45, ticks: 500 },
  { kind: 'requests', epoch: 7, requests: [fetchRequest, { ...fetchRequest, id: '0'.repeat(32) }] },
  { kind: 'requests', epoch: 7, requests: [] },
];

describe('Messages of the uplink', () => {
  it('are read as they were written', () => {
    for (const one of robotMessages) assert.deepEqual(decodeRobotMessage(encodeRobotMessage(one)), one);
    for (const one of groundMessages) assert.deepEqual(decodeGroundMessage(encodeGroundMessage(one)), one);
  });

  it('are what the shipped .proto says, for a parser that knows only that', () => {
    const full = reflect('RobotMessage', encodeRobotMessage({ kind: 'telemetry', frame: fullFrame }));
    const { telemetry } = full as { telemetry: { full: { catalogue: { fields: object[] } } } };
    const { fields } = telemetry.full.catalogue;
    assert.deepEqual(fields[1], {
      ...{ topic: '/odom', path: 'heading.hold', unit: 'm/s', threshold: 5, quantum: 0.625 },
      ...{ every_ticks: 1, period: 360 },
    });
    assert.deepEqual(
      { ...telemetry, full: { ...telemetry.full, catalogue: null } },
      {
        ...{ epoch: String(2 ** 40), sequence: '7', first_tick: String(2 ** 45), ticks: 1 },
        time_ns: '-1795000000123456789',
        full: {
          ...{ run: String(2n ** 64n - 2n), catalogue_version: 3, catalogue: null },
          values: everyField.map((_, i) => i / 3),
        },
      },
    );
    const delta = reflect('RobotMessage', encodeRobotMessage({ kind: 'telemetry', frame: deltaFrame }));
    assert.deepEqual(delta, {
      telemetry: {
        ...{ epoch: '3', sequence: '8', first_tick: '600', ticks: 10 },
        ...{ changed: [2, 38], residuals: [-9, 2 ** 31 - 1], exact_at: [5], exact: [1e300] },
        absent_at: [17, 24],
      },
    });
    const hello = reflect('RobotMessage', encodeRobotMessage(robotMessages[0]!));
    assert.equal((hello as { hello: { robot: string } }).hello.robot, 'robot_ü');
    const request = reflect('GroundMessage', encodeGroundMessage(groundMessages[1]!));
    assert.deepEqual(request, { full_request: { epoch: '12', catalogue: true } });
  });

  it('about requests for segments are what the .proto says, and within their bounds', () => {
    const { fetch } = reflect('RobotMessage', encodeRobotMessage({ kind: 'fetch', update: fetchUpdate }));
    const { matched, segments, gone } = fetch as { matched: unknown; segments: object[]; gone: unknown };
    assert.deepEqual(matched, { segments: '3', bytes: String(2 ** 50) });
    assert.equal((segments[0] as { state: string }).state, 'FETCHED_STATE_PARKED');
    assert.deepEqual(gone, [{ name: 'c.r', messages: '3', bytes: '8', at: '6', reason: 'quota' }]);
    const bytes = encodeGroundMessage({ kind: 'requests', epoch: 7, requests: [fetchRequest] });
    const { requests } = reflect('GroundMessage', bytes) as { requests: { requests: object[] } };
    const { format: _format, version: _version, createdAt, expiresAt, ...rest } = fetchRequest;
    assert.deepEqual(requests.requests[0], { ...rest, created_at: createdAt, expires_at: expiresAt });
    const many = Array.from({ length: 17 }, () => fetchRequest);
    for (const wrong of [
      many,
      [{ ...fetchRequest, id: '../../etc' }],
      [{ ...fetchRequest, topics: many.map(String).concat(many.map(String)) }],
    ]) {
      const sent = encodeGroundMessage({ kind: 'requests', epoch: 7, requests: wrong });
      assert.equal(decodeGroundMessage(sent).kind, 'unusable');
    }
    for (const wrong of [{ place: '../x' }, { id: 'x' }, { reason: 'x'.repeat(501) }]) {
      const sent = encodeRobotMessage({ kind: 'fetch', update: { ...fetchUpdate, ...wrong } });
      assert.equal(decodeRobotMessage(sent).kind, 'unusable');
    }
  });

  it('may have fields of later versions', () => {
    const later = Buffer.concat([
      encodeRobotMessage(robotMessages[2]!),
      Buffer.from([0x9a, 0x06, 3, 1, 2, 3]),
    ]);
    assert.deepEqual(decodeRobotMessage(later), robotMessages[2]);
  });

  const refused: Record<string, [TelemetryFrame, RegExp]> = {
    'no ticks': [{ ...deltaFrame, ticks: 0 }, /0 ticks, allowed: 1 to 1000/],
    'a billion ticks': [{ ...deltaFrame, ticks: 1e9 }, /1000000000 ticks, allowed: 1 to 1000/],
    'a full frame of two ticks': [{ ...fullFrame, ticks: 2 }, /a full frame must cover one tick/],
    'a full frame with changes': [{ ...fullFrame, changes: deltaFrame.changes }, /without changes/],
    'two values for one position': [
      { ...deltaFrame, changes: [deltaFrame.changes[0]!, { position: 2, kind: 'absent' }] },
      /two values for one position/,
    ],
    'an infinite value': [
      { ...deltaFrame, changes: [{ position: 0, kind: 'exact', value: -Infinity }] },
      /an exact value is not finite/,
    ],
    'too many fields': [withFields(Array.from({ length: 257 }, () => field())), /more than 256 fields/],
    'a field without a topic': [withFields([field({ topic: '' })]), /a topic of 0 bytes/],
    'a threshold below 0': [
      withFields([field({ threshold: -1 })]),
      /threshold -1, allowed: a finite number from 0/,
    ],
    'a field without samples': [withFields([field({ everyTicks: 0 })]), /a sample every 0 ticks/],
    'a turn of no size': [withFields([field({ circle: { period: -1, lowest: 0 } })]), /period -1/],
    'values of another catalogue': [
      { ...fullFrame, full: { run: 1n, catalogueVersion: 2, catalogue, values: [] } },
      /does not belong to the values/,
    ],
  };
  for (const [name, [frame, reason]] of Object.entries(refused)) {
    it(`with ${name} are refused with the reason`, () => {
      const decoded = decodeRobotMessage(encodeRobotMessage({ kind: 'telemetry', frame }));
      assert.ok(decoded.kind === 'unusable', decoded.kind);
      assert.match(decoded.reason, reason);
    });
  }

  it('with a predictor of a later version are refused, because the values would be wrong', () => {
    const spec = everyField[0]!;
    const one: TelemetryFrame = withFields([{ ...spec, predictor: 'linear' }]);
    const bytes = encodeRobotMessage({ kind: 'telemetry', frame: one });
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x30, 1, 0x38, 2]));
    assert.ok(at > 0);
    bytes[at + 3] = 3;
    assert.match(
      String((decodeRobotMessage(bytes) as { reason?: string }).reason),
      /predictor 3, allowed: 0 to 2/,
    );
  });

  it('that are too large, empty or cut off are refused', () => {
    const large = decodeRobotMessage(new Uint8Array(MAX_MESSAGE_BYTES + 1));
    assert.ok(large.kind === 'unusable' && /262145 bytes, allowed: 262144/.test(large.reason));
    assert.equal(decodeRobotMessage(new Uint8Array(0)).kind, 'unusable');
    for (const one of robotMessages) {
      const whole = encodeRobotMessage(one);
      for (let end = 0; end < whole.length; end++) {
        assert.equal(decodeRobotMessage(whole.subarray(0, end)).kind, 'unusable', `${end} bytes`);
      }
    }
  });

  it('of the largest catalogue fit into one message', () => {
    const long = 'x'.repeat(256);
    const fields = Array.from({ length: 256 }, () =>
      field({ topic: long, path: long, unit: 'u'.repeat(32) }),
    );
    const bytes = encodeRobotMessage({ kind: 'telemetry', frame: withFields(fields) });
    assert.equal(decodeRobotMessage(bytes).kind, 'telemetry');
  });

  it('made of random damage never throw, at either end', () => {
    const random = new Random(11);
    const decoder = new TelemetryDecoder(1);
    let applied = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = Uint8Array.from(encodeRobotMessage(robotMessages[round % robotMessages.length]!));
      for (let hits = 1 + (random.bits() % 4); hits > 0; hits--) {
        bytes[random.bits() % bytes.length] = random.bits() & 0xff;
      }
      const decoded = decodeRobotMessage(bytes);
      decodeGroundMessage(bytes);
      if (decoded.kind !== 'telemetry') continue;
      decoder.apply(decoded.frame);
      applied++;
    }
    assert.ok(applied > 1_000, `${applied}`);
  });
});

function withFields(fields: readonly FieldSpec[]): TelemetryFrame {
  const made = { version: 1, tickNs: 20_000_000, fields };
  const full = { run: 1n, catalogueVersion: 1, catalogue: made, values: fields.map(() => 0) };
  return { ...fullFrame, full };
}
