import assert from 'node:assert/strict';
import { crc32, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { present } from '../../src/core/present.js';
import { encodePng } from '../../src/exporters/images/encode-png.js';
import { imageFile, type ImageFile } from '../../src/exporters/images/image-file.js';

interface DecodedPng {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly colour: number;
  readonly data: Uint8Array;
}

/** A PNG read by the book (every filter, every checksum); shares nothing with the writer. */
function decodePng(png: Buffer): DecodedPng {
  assert.equal(png.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n');
  const chunks = new Map<string, Buffer[]>();
  const order: string[] = [];
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(png.subarray(at + 4, at + 8 + length)));
    chunks.set(type, [...(chunks.get(type) ?? []), png.subarray(at + 8, at + 8 + length)]);
    order.push(type);
    at += 12 + length;
  }
  assert.deepEqual([order[0], order.at(-1)], ['IHDR', 'IEND']);
  const head = present(chunks.get('IHDR'))[0]!;
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  const [bits, colour] = [head[8]!, head[9]!];
  const pixelBytes = ({ 0: 1, 2: 3, 6: 4 }[colour]! * bits) / 8;
  const rows = inflateSync(Buffer.concat(present(chunks.get('IDAT'))));
  const stride = width * pixelBytes;
  assert.equal(rows.length, height * (stride + 1));
  const data = new Uint8Array(height * stride);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const left = x >= pixelBytes ? data[y * stride + x - pixelBytes]! : 0;
      const up = y > 0 ? data[(y - 1) * stride + x]! : 0;
      const predicted = [0, left, up, (left + up) >> 1][filter]!;
      data[y * stride + x] = rows[y * (stride + 1) + 1 + x]! + predicted;
    }
  }
  return { width, height, bits, colour, data };
}

const raw = (
  encoding: string,
  width: number,
  height: number,
  data: Uint8Array,
  rest: object = {},
): object => ({
  ...{ header: {}, encoding, width, height, is_bigendian: 0, data },
  step: data.byteLength / Math.max(1, height),
  ...rest,
});
const made = async (value: object, type = 'sensor_msgs/msg/Image'): Promise<ImageFile> => {
  const image = await imageFile(type, value);
  if (typeof image === 'string') assert.fail(image);
  return image;
};
const refusalOf = async (type: string, value: object): Promise<string> => {
  const refusal = await imageFile(type, value);
  assert.ok(typeof refusal === 'string', 'it is accepted');
  return refusal;
};
const png = async (value: object): Promise<DecodedPng> => decodePng(Buffer.from((await made(value)).bytes));

describe('images as files', () => {
  it('are PNGs that any reader decodes to the same pixels', async () => {
    const forms = fc.record({
      width: fc.integer({ min: 1, max: 40 }),
      height: fc.integer({ min: 1, max: 40 }),
      channels: fc.constantFrom(1, 3, 4),
      bits: fc.constantFrom(8, 16),
      seed: fc.infiniteStream(fc.nat(255)),
    });
    await fc.assert(
      fc.asyncProperty(forms, async ({ seed, ...form }) => {
        const { width, height, channels, bits } = form;
        const data = Uint8Array.from(seed.take((width * height * channels * bits) / 8));
        const read = decodePng(await encodePng({ ...form, data }));
        assert.deepEqual([read.width, read.height, read.bits], [width, height, bits]);
        assert.deepEqual(read.data, data);
      }),
      { numRuns: 60 },
    );
  });

  it('have their colours in order, their rows without padding, and 16 bits whatever the byte order', async () => {
    const blueFirst = Uint8Array.from([1, 2, 3, 4, 5, 6]);
    assert.deepEqual((await png(raw('bgr8', 2, 1, blueFirst))).data, Uint8Array.from([3, 2, 1, 6, 5, 4]));
    assert.deepEqual((await png(raw('8UC3', 2, 1, blueFirst))).data, Uint8Array.from([3, 2, 1, 6, 5, 4]));
    const rgba = await png(raw('bgra8', 1, 1, Uint8Array.from([1, 2, 3, 4])));
    assert.deepEqual([rgba.colour, ...rgba.data], [6, 3, 2, 1, 4]);
    const padded = Uint8Array.from([1, 2, 9, 9, 3, 4, 9, 9]);
    assert.deepEqual((await png(raw('mono8', 2, 2, padded))).data, Uint8Array.from([1, 2, 3, 4]));
    // The last row may lack its padding.
    const cut = raw('mono8', 2, 2, padded.subarray(0, 6), { step: 4 });
    assert.deepEqual((await png(cut)).data, Uint8Array.from([1, 2, 3, 4]));
    const little = await png(raw('16UC1', 2, 1, Uint8Array.from([0x34, 0x12, 0x78, 0x56])));
    assert.deepEqual([little.bits, ...little.data], [16, 0x12, 0x34, 0x56, 0x78]);
    const big = raw('mono16', 2, 1, Uint8Array.from([0x12, 0x34, 0x56, 0x78]), { is_bigendian: 1 });
    assert.deepEqual((await png(big)).data, little.data);
    const bgr16 = await png(raw('bgr16', 1, 1, Uint8Array.from([1, 0, 2, 0, 3, 0])));
    assert.deepEqual(bgr16.data, Uint8Array.from([0, 3, 0, 2, 0, 1]));
  });

  it('are what was compressed as it was, by its first bytes, also behind the head of a depth image', async () => {
    const jpeg = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 1]);
    const type = 'sensor_msgs/msg/CompressedImage';
    const one = await made({ format: 'rgb8; jpeg compressed bgr8', data: jpeg }, type);
    assert.deepEqual([one.extension, one.bytes], ['jpg', jpeg]);
    const inner = await encodePng({
      width: 1,
      height: 1,
      channels: 1,
      bits: 16,
      data: Uint8Array.from([1, 2]),
    });
    const depth = { format: '16UC1; compressedDepth png', data: Buffer.concat([Buffer.alloc(12), inner]) };
    const two = await made(depth, type);
    assert.deepEqual([two.extension, Buffer.from(two.bytes)], ['png', inner]);
  });

  it('are refused with a reason if their bytes are too few, or PNG has no pixels for them', async () => {
    const type = 'sensor_msgs/msg/Image';
    const refusals: [object, RegExp][] = [
      [raw('32FC1', 1, 1, new Uint8Array(4)), /32FC1/],
      [raw('rgb8', 4000000000, 4000000000, new Uint8Array(4), { step: 4000000000 }), /too few/],
      [raw('rgb8', 2, 2, new Uint8Array(11), { step: 6 }), /too few/],
      [raw('mono8', 0, 0, new Uint8Array(0)), /no pixels/],
    ];
    for (const [value, reason] of refusals) assert.match(await refusalOf(type, value), reason);
    const noise = { format: 'jpeg', data: new Uint8Array(3) };
    assert.match(await refusalOf('sensor_msgs/msg/CompressedImage', noise), /no JPEG/);
  });
});
