import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { present } from '../../src/core/present.js';
import { Camera } from '../../src/simulation/camera.js';

interface Picture {
  readonly width: number;
  readonly height: number;
  /** Mean brightness of each 8×8 block of a row-major 16×16 unit order, -128 to 127. */
  readonly means: readonly number[];
}

/** A reader of baseline JPEG that stops at the coefficients, written from ITU-T T.81 alone. */
function readJpeg(bytes: Uint8Array): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assert.equal(view.getUint16(0), 0xffd8, 'starts with SOI');
  const tables = new Map<number, Map<string, number>>();
  let [at, width, height, dcStep] = [2, 0, 0, 0];
  for (;;) {
    const marker = view.getUint16(at);
    const length = view.getUint16(at + 2);
    const body = at + 4;
    at += 2 + length;
    if (marker === 0xffdb) dcStep = bytes[body + 1]!;
    if (marker === 0xffc0) [height, width] = [view.getUint16(body + 1), view.getUint16(body + 3)];
    if (marker === 0xffc4) tables.set(bytes[body]!, huffman(bytes.subarray(body + 1)));
    if (marker === 0xffda) break;
  }
  const end = bytes.length - 2;
  assert.equal(view.getUint16(end), 0xffd9, 'ends with EOI');
  const bits = bitsOf(bytes.subarray(at, end));
  const means: number[] = [];
  const predictions = [0, 0, 0];
  for (let unit = 0; unit < (width / 16) * (height / 16); unit++) {
    [0, 0, 0, 0, 1, 2].forEach((component) => {
      predictions[component]! += bits.value(bits.symbol(present(tables.get(0x00))));
      if (component === 0) means.push((predictions[0]! * dcStep) / 8);
      for (let place = 1; place < 64; place++) {
        const symbol = bits.symbol(present(tables.get(0x10)));
        if (symbol === 0) break;
        place += symbol >> 4;
        assert.ok(place < 64, 'a coefficient beyond the block');
        bits.value(symbol & 15);
      }
    });
  }
  assert.ok(bits.left() < 8, 'only padding is left');
  return { width, height, means };
}

function huffman(body: Uint8Array): Map<string, number> {
  const codes = new Map<string, number>();
  let [code, at] = [0, 16];
  for (let length = 1; length <= 16; length++, code <<= 1) {
    for (let n = 0; n < body[length - 1]!; n++) {
      codes.set(code.toString(2).padStart(length, '0'), body[at++]!);
      code++;
    }
  }
  return codes;
}

function bitsOf(data: Uint8Array) {
  let text = '';
  for (let i = 0; i < data.length; i++) {
    text += data[i]!.toString(2).padStart(8, '0');
    if (data[i] === 0xff) assert.equal(data[++i], 0, 'a marker inside the data');
  }
  let at = 0;
  return {
    left: () => text.length - at,
    symbol(codes: Map<string, number>): number {
      for (let length = 1; length <= 16; length++) {
        const symbol = codes.get(text.slice(at, at + length));
        if (symbol === undefined) continue;
        at += length;
        return symbol;
      }
      throw new Error(`no Huffman code at bit ${at}`);
    },
    value(size: number): number {
      if (size === 0) return 0;
      const raw = parseInt(text.slice(at, at + size), 2);
      at += size;
      return raw < 2 ** (size - 1) ? raw - 2 ** size + 1 : raw;
    },
  };
}

describe('The camera', function () {
  this.timeout(30_000);

  it('makes baseline JPEG that decodes whole, sky above and floor below', () => {
    for (const sizeKb of [16, 90, 150]) {
      const { width, height, means } = readJpeg(new Camera(sizeKb).render(5, 4, 2.6, [], 99));
      assert.deepEqual([width, height], [640, 480]);
      assert.equal(means.length, 4800);
      const mean = (part: readonly number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
      assert.ok(mean(means.slice(0, 160)) > 80, 'the sky is bright');
      assert.ok(mean(means.slice(-160)) < 20, 'the floor is dark');
    }
  });

  it('keeps to the size it is asked for', () => {
    for (const sizeKb of [30, 60, 90, 120]) {
      const { length } = new Camera(sizeKb).render(-5, 3, 1, [], 7);
      assert.ok(Math.abs(length / 1000 - sizeKb) < 0.05 * sizeKb, `${length} bytes for ${sizeKb} kB`);
    }
  });

  it('gives a fresh picture each time that no codec can shrink much', () => {
    const camera = new Camera(60);
    const frames = [1, 2, 3].map((seed) => Buffer.from(camera.render(5, 4, 2.6, [], seed)));
    assert.notDeepEqual(frames[0], frames[1]);
    const all = Buffer.concat(frames);
    assert.ok(gzipSync(all).length > 0.93 * all.length);
  });
});
