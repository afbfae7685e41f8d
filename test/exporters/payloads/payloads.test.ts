import assert from 'node:assert/strict';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { present } from '../../../src/core/present.js';
import { parseDescriptorName, claimOf } from '../../../src/exporters/payloads/descriptor-name.js';
import { readDescriptor } from '../../../src/exporters/payloads/read-descriptor.js';
import type { PayloadDecoder } from '../../../src/exporters/payloads/payload-decoder.js';

/** The schema below, by flatc --binary --schema. */
const spawnSchema =
  'HAAAAEJGQlMAABIAJAAEAAgADAAQABQAGAAcABIAAABEAAAANAAAACQAAAAYAAAAOAIAAAwAAAAFAAAAAAAAAAAAAAAAAAAAAAAAAAQAAABTUFdOAAAAAAIAAAAUAQAANAAAAAYAAAAABwAA3AUAAIQFAAD0AQAA3AcAAEwGAAAAABIAGAAIAAwABwAQAAAAAAAUABIAAAAAAAABNAAAACAAAAAIAAAAyAcAABD7//8AAAABAQAAAAEAAAABAAAAAwAAAHgAAABEAAAAEAAAAAcAAABzaW0uUGV0AOz+//8kAAAAEAAAAAIAAAAAAAAAAAAAALD7//8AAAAPAgAAAAEAAAADAAAARG9nABz///8kAAAAEAAAAAEAAAAAAAAAAAAAAOD7//8AAAAPAQAAAAEAAAADAAAAQ2F0ABD///8UAAAABAAAAAT///8BAAAAAQAAAAQAAABOT05FAAASABQABAAIAAAADAAAAAAAEAASAAAANAAAACAAAAAIAAAA8AYAAOj7//8AAAADAAAAAAEAAAABAAAAAwAAAJwAAABcAAAAIAAAAAgAAABzaW0uS2luZAAAAAAMABQABAAMAAAACAAMAAAAHAAAAAwAAAAFAAAAAAAAAJT///8BAAAAAQAAAAQAAABCaWtlAAAAAAwAGAAEAAwAAAAIAAwAAAAgAAAAEAAAAAEAAAAAAAAAAAAAAND///8BAAAAAQAAAAUAAABUcnVjawAAAAwADAAEAAAAAAAIAAwAAAAkAAAAFAAAABAADAAAAAAAAAAAAAQACAAQAAAAAQAAAAEAAAADAAAAQ2FyALT7//9QAAAADAAAAAEAAAD4BQAADwAAAHgAAABIAwAA+AIAAJgAAAD8AAAAOAAAAMwAAADoAQAAXAEAAIQBAACIAgAAsAEAABgBAABAAgAA/AEAAAkAAABzaW0uU3Bhd24AAAAw+///AAAAAQ4AIAAUAAAABAAAAKD7//8AAAANAQAAAAQAAABub3RlAAAAAFz7//8AAAABDQAeABgAAAAEAAAAyP3//wAAAA8AAAAAAQAAAAMAAABib3gAiPv//wAAAAEMABwAGAAAAAQAAABw/v//AAAOAwAAAAABAAAABQAAAGtpbmRzABIAFAAMABAACAAKAAAAAAAHABIAAAAAAAABCwAaABQAAAAEAAAAOPz//wAAAAcBAAAAAwAAAG9sZADw+///AAAAAQoAGAAUAAAABAAAAGD8//8AAAAHAQAAAAUAAABsZXZlbAAAABAAHAAIAAwABAAGAAAAEAAQAAAACQAWACAAAAAQAAAAAAAAAAAA+D8AAAAApPz//wAAAAsBAAAABQAAAHNwZWVkAAAAYPz//wAAAAEIABQAGAAAAAQAAADM/v//AAAAEAEAAAABAAAAAwAAAHBldABo+///BwASABwAAAAEAAAAnP7//wAAAAEBAAAAAQAAAAEAAAAIAAAAcGV0X3R5cGUAAAAAwPz//wAAAAEGABAAFAAAAAQAAABo////AAAOBAEAAAADAAAAcmF3AOj8//8AAAABBQAOABgAAAAEAAAA0P///wAADg8EAAAABAAAAAQAAABwYXRoAAAAABj9//8AAAABBAAMACgAAAAUAAAAEAAQAAYABwAIAAAAAAAMABAAAAAAAA4PBQAAAAQAAAAGAAAAd2hlZWxzAABY/f//AAAAAQMACgAkAAAAFAAAABAADAAGAAcAAAAAAAAACAAQAAAAAAAODQQAAAAEAAAAdGFncwAAAACU/f//AAAAAQIACAAoAAAAFAAAABAAEAAHAAAACAAAAAAADAAQAAAAAAAADwQAAAABAAAACAAAAHBvc2l0aW9uAAAOABwACAAMAAQABgAQAA4AAAABAAYAOAAAACAAAAABAAAAAAAAAAAAAAAQABQABwAAAAgAAAAMABAAEAAAAAAAAAMAAAAAAQAAAAEAAAAEAAAAa2luZAAAAACo/v//AAAEABgAAAAEAAAA1Pz//wAAAAoIAAAAAQAAAAIAAABpZAAAQP///xgAAAAMAAAAAQAAAGwCAAABAAAAEAAAAAcAAABzaW0uRG9nAPj+//8AAAQAGAAAAAQAAAAk/f//AAAAAgEAAAABAAAABQAAAGJhcmtzAAAAlP///xgAAAAMAAAAAQAAABgCAAABAAAAIAAAAAcAAABzaW0uQ2F0AAAADgAcAAgADAAAAAYAEAAOAAAAAAAEACAAAAAQAAAACQAAAAAAAAAAAAAAXP///wAAAAcBAAAABQAAAGxpdmVzAAAAFAAUAAQACAAAAAwAAAAAAAAAEAAUAAAAHAAAAAwAAAABAAAAmAEAAAIAAAAYAAAATAAAAAkAAABzaW0uV2hlZWwAAABc////AAAAAQEABgAUAAAABAAAAMz///8AAAANAQAAAAQAAABuYW1lAAAAAAwAEAAIAAwAAAAGAAwAAAAAAAQAJAAAABQAAAAQAAwABwAAAAAAAAAAAAgAEAAAAAAAAAsBAAAABgAAAHJhZGl1cwAAKP///wAAAAEgAAAAEAAAAAgAAAA4AAAA8AAAAAIAAAAwAAAAjAAAAAcAAABzaW0uQm94ABwAFAAMABAACAAKAAAAAAAAAAAAAAAAAAAABwAcAAAAAAAAAQEACAAoAAAAFAAAABAAEAAEAAUACAAGAAAADAAQAAAAEQ8CAAQAAAAEAAAABwAAAGNvcm5lcnMAAAAeABAACAAMAAAAAAAAAAAAAAAAAAAAAAAAAAAABgAeAAAAAAAGABgAAAAEAAAAIP///wAAAAYCAAAAAQAAAAIAAABpZAAAFAAcAAgADAAHABAAFAAAAAAAGAAUAAAAAAAAASwAAAAYAAAACAAAABgAAAAEAAAAAAAAAAAAAAADAAAAgAAAAEwAAAAUAAAACAAAAHNpbS5WZWMzAAAAANj///8CABAAGAAAAAQAAACg////AAAADAgAAAABAAAAAQAAAHoAAAAMABAACAAMAAQABgAMAAAAAQAIABgAAAAEAAAA1P///wAAAAwIAAAAAQAAAAEAAAB5AAAACAAMAAQACAAIAAAAKAAAABQAAAAQABAABwAAAAAAAAAIAAwAEAAAAAAAAAwIAAAAAQAAAAEAAAB4AAAA';
/** A message of it, by flatc --binary. */
const spawnMessage =
  'KAAAAFNQV04gAIAAeAAGAAgAJAAoACwAMAAHADQAAAA4AAAAPABAACAAAAAAAAUCAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAPAAAACsAAAAcAAAAGQAAABYAAAABwAAAEQAAAADAAAAAAAAAAAAAAAAAPA/AAAAAAAAAEAAAAAAAAAIQAAAAAAAABBAAAAAAAAAFEAAAAAAAAAYQP//////////AgAAAAABBgAIAAcABgAAAAAAAAEDAAAAAQL/AAIAAAAAAAAAAADwPwAAAAAAAPA/AAAAAAAA8D8AAAAAAAAAQAAAAAAAAABAAAAAAAAAAEAAAAAAAgAAACgAAAAMAAAACAAIAAAABAAIAAAABAAAAAIAAABmcgAACAAMAAQACAAIAAAAAAAAPwQAAAACAAAAZmwAAAIAAAAQAAAABAAAAAIAAADDvAAAAQAAAGEAAAA=';

/*
 * enum Kind : byte { Car = 0, Truck = 1, Bike = 5 }   struct Vec3 { x:double; y:double; z:double; }
 * struct Box { id:uint16; corners:[Vec3:2]; }   table Wheel { radius:float; name:string; }
 * table Cat { lives:int = 9; }   table Dog { barks:bool; }   union Pet { Cat, Dog }
 * table Spawn { id:ulong; kind:Kind = Truck; position:Vec3; tags:[string]; wheels:[Wheel]; path:[Vec3]; raw:[ubyte]; pet:Pet;
 *   speed:float = 1.5; level:int = null; old:int (deprecated); kinds:[Kind]; box:Box; note:string; }
 * root_type Spawn; file_identifier "SPWN";
 */
const base64 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const none = (): undefined => undefined;

const flat = (): PayloadDecoder =>
  readDescriptor(present(parseDescriptorName('spawn.bfbs')), base64(spawnSchema), none);

const proto = (
  text: string,
  type = 'spawn',
  imported: Readonly<Record<string, string>> = {},
): PayloadDecoder =>
  readDescriptor(present(parseDescriptorName(`${type}.proto`)), Buffer.from(text), (path) => imported[path]);

/** A message by the library's own encoder. */
function encode(text: string, type: string, value: object): Uint8Array {
  const { root } = protobuf.parse(text, { keepCase: true });
  const message = root.lookupType(type);
  return Uint8Array.from(message.encode(message.fromObject(value)).finish());
}

const everything = `syntax = "proto3"; package sim;
  enum Kind { CAR = 0; TRUCK = 1; }
  message Part { string name = 1; repeated float at = 2; }
  message Spawn { int32 a = 1; uint32 b = 2; sint32 c = 3; fixed32 d = 4; sfixed32 e = 5; int64 f = 6; uint64 g = 7; sint64 h = 8;
    fixed64 i = 9; sfixed64 j = 10; float k = 11; double l = 12; bool m = 13; string n = 14; bytes o = 15; Kind p = 16;
    Part q = 17; repeated Part r = 18; map<string, int64> s = 19; optional int32 t = 20; oneof u { string v = 21; Part w = 22; }
    repeated sint64 x = 23; repeated string y = 24; repeated int32 z = 25 [packed = false]; }`;

const blank = {
  ...{
    a: 0,
    b: 0,
    c: 0,
    d: 0,
    e: 0,
    f: 0n,
    g: 0n,
    h: 0n,
    i: 0n,
    j: 0n,
    k: 0,
    l: 0,
    m: false,
    n: '',
    o: new Uint8Array(0),
  },
  ...{ p: 'CAR', q: null, r: [], s: [], t: null, v: null, w: null, x: [], y: [], z: [] },
};

describe('payloads of events', () => {
  it('reads every kind of field of a FlatBuffers message that flatc made', () => {
    const { value, unknown } = flat().decode(base64(spawnMessage));
    assert.equal(unknown, undefined);
    assert.deepEqual(value, {
      id: 18446744073709551615n,
      kind: 'Bike',
      position: { x: 1, y: 2, z: 3 },
      tags: ['a', 'ü'],
      wheels: [
        { radius: 0.5, name: 'fl' },
        { radius: 0, name: 'fr' },
      ],
      path: [
        { x: 1, y: 1, z: 1 },
        { x: 2, y: 2, z: 2 },
      ],
      raw: Uint8Array.of(1, 2, 255),
      pet_type: 'Dog',
      pet: { Dog: { barks: true } },
      speed: 1.5,
      level: 7,
      kinds: ['Car', 'Truck'],
      box: {
        id: 3,
        corners: [
          { x: 1, y: 2, z: 3 },
          { x: 4, y: 5, z: 6 },
        ],
      },
      note: null,
    });
  });

  it('gives no value for a FlatBuffers message that is cut off or of another type', () => {
    const whole = base64(spawnMessage);
    assert.throws(
      () => flat().decode(Buffer.from('not a flatbuffer at all')),
      /identifier is "a fl", expected "SPWN"/,
    );
    // The last three bytes end a text, and are padding.
    for (let length = 0; length < whole.length - 3; length++) {
      let value: unknown;
      try {
        ({ value } = flat().decode(whole.slice(0, length)));
      } catch {
        continue;
      }
      assert.fail(`${length} of ${whole.length} bytes gave ${String(value)}`);
    }
  });

  it('ends with an error, and not with the process, for any FlatBuffers message', () => {
    const decoder = flat();
    const whole = base64(spawnMessage);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            decoder.decode(bytes);
          } catch (error) {
            assert.ok(error instanceof Error && !(error instanceof RangeError), String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('refuses an invalid binary schema, and names the fault', () => {
    const read = (bytes: Uint8Array): PayloadDecoder =>
      readDescriptor(present(parseDescriptorName('x.bfbs')), bytes, none);
    assert.throws(() => read(Buffer.from('table X {}')), /does not begin as a binary schema/);
    assert.throws(() => read(base64(spawnSchema).slice(0, 200)));
  });

  it('reads every kind of field of a Protocol Buffers message that protobufjs made', () => {
    const value = {
      ...{
        a: -1,
        b: 4294967295,
        c: -2,
        d: 3,
        e: -4,
        f: '-9007199254740993',
        g: '18446744073709551615',
        h: '-5',
        i: '6',
      },
      ...{
        j: '-7',
        k: 0.5,
        l: 0.1,
        m: true,
        n: 'ü',
        o: Buffer.from([1, 2]),
        p: 'TRUCK',
        q: { name: 'q', at: [1, 2] },
      },
      ...{
        r: [{ name: 'r' }, {}],
        s: { one: '1', two: '2' },
        t: 0,
        v: 'oneof',
        x: ['-1', '2'],
        y: ['', 'z'],
        z: [1, 2, 3],
      },
    };
    const decoded = proto(everything).decode(encode(everything, 'sim.Spawn', value)).value;
    assert.deepEqual(decoded, {
      ...{
        a: -1,
        b: 4294967295,
        c: -2,
        d: 3,
        e: -4,
        f: -9007199254740993n,
        g: 18446744073709551615n,
        h: -5n,
        i: 6n,
      },
      ...{
        j: -7n,
        k: 0.5,
        l: 0.1,
        m: true,
        n: 'ü',
        o: Uint8Array.of(1, 2),
        p: 'TRUCK',
        q: { name: 'q', at: [1, 2] },
      },
      r: [
        { name: 'r', at: [] },
        { name: '', at: [] },
      ],
      s: [
        { key: 'one', value: 1n },
        { key: 'two', value: 2n },
      ],
      ...{ t: 0, v: 'oneof', w: null, x: [-1n, 2n], y: ['', 'z'], z: [1, 2, 3] },
    });
    assert.deepEqual(proto(everything).decode(new Uint8Array(0)).value, blank);
  });

  it('reports fields that the descriptor lacks, and refuses bytes that have none of its fields', () => {
    const old = 'syntax = "proto3"; message Spawn { int32 a = 1; }';
    const young = 'syntax = "proto3"; message Spawn { int32 a = 1; string b = 2; }';
    const bytes = encode(young, 'Spawn', { a: 7, b: 'new' });
    assert.deepEqual(proto(old).decode(bytes), {
      value: { a: 7 },
      unknown: 'fields 2 are not in the descriptor',
    });
    assert.throws(
      () => proto(old).decode(encode(young, 'Spawn', { b: 'new' })),
      /none of the fields of Spawn/,
    );
  });

  it('gives the values that were encoded or an error, never others', () => {
    const decoder = proto(everything);
    const whole = encode(everything, 'sim.Spawn', {
      a: 1,
      n: 'text',
      q: { name: 'q', at: [1] },
      x: ['1', '2'],
    });
    for (let length = 1; length < whole.length; length++) {
      try {
        const { value } = decoder.decode(whole.slice(0, length));
        assert.deepEqual(Object.keys(value as object), Object.keys(blank));
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }
    for (const [bytes, why] of [
      ['0a0161', /wire type 2/],
      ['08', /./],
      ['00', /number 0/],
      ['0f', /wire type 7/],
      ['7205', /./],
      ['7201ff', /./],
      ['0c', /./],
    ] as const) {
      assert.throws(() => decoder.decode(Buffer.from(bytes, 'hex')), why, bytes);
    }
  });

  it('finds imports in the folder, and names the missing one', () => {
    const text =
      'syntax = "proto3"; import "common/pose.proto"; import "google/protobuf/timestamp.proto"; ' +
      'message Spawn { Pose pose = 1; google.protobuf.Timestamp at = 2; }';
    const pose = 'syntax = "proto3"; message Pose { double x = 1; }';
    const decoder = proto(text, 'spawn', { 'common/pose.proto': pose });
    const payload = Uint8Array.of(0x0a, 9, 9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x12, 2, 8, 5);
    assert.deepEqual(decoder.decode(payload).value, { pose: { x: 1.5 }, at: { seconds: 5n, nanos: 0 } });
    assert.throws(() => proto(text), /imports common\/pose.proto, which is not in the folder/);
  });

  it('refuses a .proto file that is invalid, contains itself, or leaves the message open', () => {
    assert.throws(() => proto('table X {}'), /illegal token/);
    assert.throws(() => proto('syntax = "proto3"; message Spawn { Spawn next = 1; }'), /contains itself/);
    assert.throws(
      () => proto('syntax = "proto3"; message A { int32 a = 1; } message B { int32 b = 1; }'),
      /has no message spawn, and there are 2 \(A, B\); allowed: one, or one of that name/,
    );
    assert.throws(() => proto('syntax = "proto3";'), /there are 0 \(none\)/);
    assert.throws(() => proto('syntax = "proto3"; message Spawn { Missing a = 1; }'), /Missing/);
  });

  it('reads a FileDescriptorSet as the source it was made of', () => {
    const { root } = protobuf.parse(everything, { keepCase: true });
    const set = (root as protobuf.Root & { toDescriptor(edition: string): protobuf.Message }).toDescriptor(
      'proto3',
    );
    const bytes = set.$type.encode(set).finish();
    const decoder = readDescriptor(present(parseDescriptorName('sim.Spawn@2.binpb')), bytes, none);
    const payload = encode(everything, 'sim.Spawn', {
      a: 5,
      r: [{ name: 'x' }],
      g: '18446744073709551615',
      p: 1,
    });
    assert.deepEqual(decoder.decode(payload).value, proto(everything, 'sim.Spawn').decode(payload).value);
    assert.deepEqual(decoder.columns, proto(everything, 'sim.Spawn').columns);
  });

  it('knows format, type and version by name and hint', () => {
    for (const [hint, key, expected] of [
      ['protobuf', 'spawn', ['protobuf', 'spawn', '']],
      ['application/x-protobuf; version=2', 'spawn', ['protobuf', 'spawn', '2']],
      ['protobuf@v3', 'spawn@2', ['protobuf', 'spawn', '3']],
      ['FlatBuffers', 'spawn@v2', ['flatbuffers', 'spawn', '2']],
      ['flatbuffer;v="1.0"', 'a/b', ['flatbuffers', 'a/b', '1.0']],
    ] as const) {
      const { format, type, version } = present(claimOf(key, hint));
      assert.deepEqual([format, type, version], expected, hint);
    }
    for (const hint of ['', 'application/json', 'json', 'text/protobuf', 'protobufs']) {
      assert.equal(claimOf('spawn', hint), undefined, hint);
    }
    assert.deepEqual(parseDescriptorName('a%2Fb@v2.bfbs'), {
      ...{ type: 'a/b', version: '2', format: 'flatbuffers', isSource: false },
    });
    assert.equal(parseDescriptorName('a.b.proto')?.type, 'a.b');
    for (const file of ['spawn', 'spawn.json', 'sp awn.proto', '%zz.proto', '.proto']) {
      assert.equal(parseDescriptorName(file), undefined, file);
    }
  });
});
