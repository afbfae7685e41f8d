import { crc32, deflate } from 'node:zlib';
import { promisify } from 'node:util';

const compress = promisify(deflate);
/** Camera noise hardly shrinks further, and higher levels take several times as long. */
const DEFLATE_LEVEL = 1;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** PNG's colour types by the number of channels. */
const colourTypes: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 };

/** Pixels in rows without padding; samples of 16 bits are big-endian, as in PNG. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly bits: 8 | 16;
  readonly data: Uint8Array;
}

/** A PNG (ISO/IEC 15948), each row as the difference from the previous one. Equal pixels give equal bytes. */
export async function encodePng({ width, height, channels, bits, data }: Pixels): Promise<Buffer> {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([bits, colourTypes[channels]!, 0, 0, 0], 8);
  const rows = filtered(data, (width * channels * bits) / 8, height);
  const body = await compress(rows, { level: DEFLATE_LEVEL });
  return Buffer.concat([SIGNATURE, chunk('IHDR', head), chunk('IDAT', body), chunk('IEND', Buffer.alloc(0))]);
}

/** Each row follows its filter's number: 2, the row above. */
function filtered(data: Uint8Array, rowBytes: number, height: number): Uint8Array {
  const rows = new Uint8Array((rowBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    const [to, from] = [y * (rowBytes + 1), y * rowBytes];
    rows[to] = 2;
    if (y === 0) rows.set(data.subarray(0, rowBytes), 1);
    else for (let x = 0; x < rowBytes; x++) rows[to + 1 + x] = data[from + x]! - data[from - rowBytes + x]!;
  }
  return rows;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const typed = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.byteLength);
  sum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, sum]);
}
