import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { McapChannel } from '../../src/core/mcap/definitions.js';
import { MessageDecoder } from '../../src/recordings/message-decoder.js';

/** What the length of a wide text counts, and how wide its characters are. */
const forms = ['bytes', 'count of two', 'count of four'] as const;
type Form = (typeof forms)[number];

interface Values {
  readonly flag: number;
  readonly text: string;
  readonly small: number;
  readonly more: readonly string[];
}

const definition = 'uint8 flag\nwstring text\nuint16 small\nwstring[] more';

/** Writes XCDR2 by DDS-XTypes 1.3, 7.4.3.5. */
class Writer {
  readonly out: number[] = [];

  constructor(
    readonly form: Form,
    readonly littleEndian: boolean,
  ) {}

  number(size: 1 | 2 | 4, value: number): void {
    while (this.out.length % size !== 0) this.out.push(0);
    const bytes = Array.from({ length: size }, (_, i) => (value >>> (8 * i)) & 0xff);
    this.out.push(...(this.littleEndian ? bytes : bytes.reverse()));
  }

  wide(text: string): void {
    this.number(4, this.form === 'bytes' ? 2 * text.length : text.length);
    for (let i = 0; i < text.length; i++)
      this.number(this.form === 'count of four' ? 4 : 2, text.charCodeAt(i));
  }

  /** What `write` adds, with its size in front. */
  sized(write: () => void): void {
    this.number(4, 0);
    const at = this.out.length;
    write();
    const size = new Writer(this.form, this.littleEndian);
    size.number(4, this.out.length - at);
    this.out.splice(at - 4, 4, ...size.out);
  }
}

function message(
  { flag, text, small, more }: Values,
  form: Form,
  layout: 'final' | 'delimited',
  littleEndian = true,
): Uint8Array {
  const writer = new Writer(form, littleEndian);
  const fields = (): void => {
    writer.number(1, flag);
    writer.wide(text);
    writer.number(2, small);
    writer.sized(() => {
      writer.number(4, more.length);
      for (const one of more) writer.wide(one);
    });
  };
  if (layout === 'final') fields();
  else writer.sized(fields);
  const padding = -writer.out.length & 3;
  const identifier = (layout === 'final' ? 6 : 8) + (littleEndian ? 1 : 0);
  return Uint8Array.from([0, identifier, 0, padding, ...writer.out, ...new Array<number>(padding).fill(0)]);
}

function decode(text: string, payload: Uint8Array): unknown {
  const channel: McapChannel = {
    id: 1,
    topic: '/x',
    encoding: 'cdr',
    schema: { name: 'gen/msg/X', encoding: 'ros2msg', data: Buffer.from(text) },
    metadata: {},
    carried: false,
  };
  const decoded = new MessageDecoder().decode(channel, payload);
  return decoded.ok ? decoded.value : decoded.reason;
}

describe('wide texts in XCDR2', () => {
  const example: Values = { flag: 1, text: 'Straße 東京 🚗', small: 65_535, more: ['', 'ab', 'x'] };

  for (const form of forms) {
    for (const layout of ['final', 'delimited'] as const) {
      it(`are read when their length is ${form}, in a ${layout} type of either byte order`, () => {
        assert.deepEqual(decode(definition, message(example, form, layout)), example);
        assert.deepEqual(decode(definition, message(example, form, layout, false)), example);
      });
    }
  }

  it('are the written texts, or are refused, for any texts', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 6 }).map((one) => one.replaceAll('\0', ''));
    const more = fc.array(text, { maxLength: 3 });
    const fields = { flag: fc.nat(255), text, small: fc.nat(65_535), more };
    const values = fc.record(fields, { noNullPrototype: true });
    const layout = fc.constantFrom('final' as const, 'delimited' as const);
    fc.assert(
      fc.property(
        values,
        fc.constantFrom(...forms),
        layout,
        fc.boolean(),
        (one, form, kind, littleEndian) => {
          const decoded = decode(definition, message(one, form, kind, littleEndian));
          if (typeof decoded === 'string')
            assert.match(decoded, /can be read with characters of two bytes and of four/);
          else assert.deepEqual(decoded, one);
        },
      ),
      { numRuns: 300, seed: 11 },
    );
  });

  it('are refused when they are cut off, of odd length, or hold a zero', () => {
    const whole = message(example, 'bytes', 'delimited');
    for (let length = 4; length < whole.length - whole[3]!; length++) {
      assert.equal(typeof decode(definition, whole.slice(0, length)), 'string', `${length} bytes`);
    }
    const final = (...bytes: number[]): Uint8Array => Uint8Array.from([0, 7, 0, 0, ...bytes]);
    assert.match(String(decode('wstring w', final(3, 0, 0, 0, 97, 0, 98))), /3 bytes, which is odd/);
    assert.match(String(decode('wstring w', final(4, 0, 0, 0, 97, 0, 0, 0))), /a wide character of 0x0/);
  });
});
