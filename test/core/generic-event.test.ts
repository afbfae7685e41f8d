import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor.js';
import { encodeGenericEvent, genericEventSchema, parseGenericEvent } from '../../src/core/generic-event.js';

const proto = readFileSync('proto/holdfast/generic_event.proto', 'utf8');
const type = protobuf.parse(proto, { keepCase: true }).root.lookupType('holdfast.GenericEventRequest');

const event = {
  timestampNs: 1_795_000_000_123_456_789n,
  eventTypeKey: 'lane_change',
  workerId: 'wörker-1',
  simulationId: 'sim-7',
  payloadFormatHint: 'json',
  eventPayload: new TextEncoder().encode('{"lane":2}'),
};

describe('The envelope GenericEventRequest', () => {
  it('is read by a parser that knows only the shipped .proto', () => {
    const text = fc.string({ unit: 'binary' });
    const record = fc.record({
      timestampNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      eventTypeKey: text,
      workerId: text,
      simulationId: text,
      payloadFormatHint: text,
      eventPayload: fc.uint8Array({ minLength: 1 }),
    });
    fc.assert(
      fc.property(record, (made) => {
        const bytes = encodeGenericEvent(made);
        const parsed = parseGenericEvent(bytes);
        if (typeof parsed === 'string') assert.fail(parsed);
        assert.deepEqual({ ...parsed, eventPayload: Uint8Array.from(parsed.eventPayload) }, { ...made });
        const theirs = type.toObject(type.decode(bytes), { longs: String, bytes: Array, defaults: true });
        assert.equal(theirs['worker_id'], made.workerId);
        assert.deepEqual(theirs['event_payload'], [...made.eventPayload]);
      }),
    );
  });

  it('may have fields of later versions, and fields twice', () => {
    const twice = Buffer.concat([
      encodeGenericEvent(event),
      Buffer.from([0x9a, 0x06, 3, 1, 2, 3]),
      encodeGenericEvent({ ...event, workerId: 'second' }),
    ]);
    const parsed = parseGenericEvent(twice);
    assert.ok(typeof parsed === 'object' && parsed.workerId === 'second');
  });

  it('is refused with the reason, and never read in part', () => {
    const whole = encodeGenericEvent(event);
    for (let end = 1; end < whole.length; end++) {
      const cut = parseGenericEvent(whole.subarray(0, end));
      if (typeof cut === 'object') assert.notDeepEqual(cut.eventPayload, event.eventPayload);
    }
    const cases: Record<string, RegExp> = {
      '': /empty/,
      '7b2261223a317d': /cannot be read/,
      '0d01020304': /timestamp_ns has wire type 5/,
      '1003': /event_type_key has wire type 0/,
      '1202c328': /event_type_key cannot be read/,
      '08ffffffffffffffffffff01': /timestamp_ns cannot be read/,
      '32ffffffff0f': /event_payload cannot be read/,
      '9a0603010203': /none of the fields/,
      '0001': /number 0/,
    };
    for (const [hex, expected] of Object.entries(cases)) {
      const refusal = parseGenericEvent(Buffer.from(hex, 'hex'));
      assert.ok(typeof refusal === 'string', `${hex} is accepted`);
      assert.match(refusal, expected, hex);
    }
  });

  it('is described in the recording exactly as in the shipped .proto', () => {
    const root = (
      protobuf.Root as unknown as { fromDescriptor(bytes: Uint8Array): protobuf.Root }
    ).fromDescriptor(genericEventSchema.data);
    const described = root.lookupType(genericEventSchema.name);
    assert.deepEqual(
      described.fieldsArray.map(({ name, id, type: of }) => [protobuf.util.jsonName(name), id, of]),
      type.fieldsArray.map(({ name, id, type: of }) => [protobuf.util.jsonName(name), id, of]),
    );
    assert.equal(genericEventSchema.encoding, 'protobuf');
  });
});
