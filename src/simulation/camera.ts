import { acCodes, dcCodes, jpegHeader, type HuffmanCode } from './jpeg-tables.js';
import { castRay, type Hit, type Pillar, WALL_HEIGHT_M } from './world.js';

const WIDTH_PX = 640;
const HEIGHT_PX = 480;
const BLOCK_PX = 8;
const COLUMNS = WIDTH_PX / BLOCK_PX;
const ROWS = HEIGHT_PX / BLOCK_PX;
const FIELD_OF_VIEW_RAD = 1.2;
const FOCAL_PX = WIDTH_PX / 2 / Math.tan(FIELD_OF_VIEW_RAD / 2);
const CAMERA_HEIGHT_M = 0.5;
const DC_STEP = 8;
const AC_STEP = 4;
/** Luminance blocks share the picture's bytes; the average cost of the noise of one coefficient. */
const BITS_PER_COEFFICIENT = 4.5;
const MEAN_BITS_PER_BLOCK = 11;
/** Every block ends with an end-of-block code, so one coefficient stays free. */
const MAX_COEFFICIENTS = 62;

/** Smallest and largest picture the camera can make, kilobytes. */
export const CAMERA_MIN_KB = 16;
export const CAMERA_MAX_KB = 150;

/**
 * The camera of a vehicle, as a JPEG that any viewer opens: walls and pillars in their colours, rendered one
 * block of 8×8 pixels at a time directly into the coefficient domain, with sensor noise in the higher
 * coefficients. The noise is new in every frame, so a picture has the size and the incompressibility of a
 * real one at a few milliseconds.
 */
export class Camera {
  readonly #writer = new BitWriter();
  readonly #header = jpegHeader(WIDTH_PX, HEIGHT_PX, DC_STEP, AC_STEP);
  readonly #coefficients: number;
  readonly #hit: Hit = { distance: 0, surface: 0 };
  readonly #luma = new Int16Array(COLUMNS * ROWS);
  readonly #hue = new Uint8Array(COLUMNS * ROWS);

  /** @param sizeKb about this many kilobytes (1,000 bytes) per picture. */
  constructor(sizeKb: number) {
    const bitsPerBlock = (sizeKb * 8_000) / (COLUMNS * ROWS) - MEAN_BITS_PER_BLOCK;
    this.#coefficients = Math.max(1, Math.min(MAX_COEFFICIENTS, bitsPerBlock / BITS_PER_COEFFICIENT));
  }

  /** Renders one frame; the result is valid until the next call. */
  render(x: number, y: number, heading: number, others: readonly Pillar[], seed: number): Uint8Array {
    this.#paint(x, y, heading, others);
    return this.#encode(seed);
  }

  #paint(x: number, y: number, heading: number, others: readonly Pillar[]): void {
    for (let column = 0; column < COLUMNS; column++) {
      const offset = (column + 0.5) * BLOCK_PX - WIDTH_PX / 2;
      const angle = Math.atan2(-offset, FOCAL_PX);
      castRay(x, y, heading + angle, others, this.#hit);
      const { surface } = this.#hit;
      const depth = Math.max(0.05, this.#hit.distance * Math.cos(angle));
      const top = HEIGHT_PX / 2 - (FOCAL_PX * (WALL_HEIGHT_M - CAMERA_HEIGHT_M)) / depth;
      const bottom = HEIGHT_PX / 2 + (FOCAL_PX * CAMERA_HEIGHT_M) / depth;
      for (let row = 0; row < ROWS; row++) {
        const pixel = (row + 0.5) * BLOCK_PX;
        const at = row * COLUMNS + column;
        if (pixel < top) this.#set(at, 95 - pixel / 12, SKY);
        else if (pixel > bottom) this.#set(at, -60 + (pixel - HEIGHT_PX / 2) / 4, FLOOR);
        else this.#set(at, 70 - depth * 7 - (surface % 3) * 12, FIRST_WALL + (surface % WALL_HUES));
      }
    }
  }

  #set(at: number, luma: number, hue: number): void {
    this.#luma[at] = Math.max(-120, Math.min(120, luma));
    this.#hue[at] = hue;
  }

  #encode(seed: number): Uint8Array {
    const writer = this.#writer;
    writer.begin(this.#header, seed);
    let [y, cb, cr] = [0, 0, 0];
    for (let row = 0; row < ROWS; row += 2) {
      for (let column = 0; column < COLUMNS; column += 2) {
        const at = row * COLUMNS + column;
        for (const block of [at, at + 1, at + COLUMNS, at + COLUMNS + 1]) {
          const mean = this.#luma[block]!;
          writer.mean(mean - y);
          y = mean;
          writer.noise(this.#coefficients);
        }
        const [blue, red] = HUES[this.#hue[at]!]!;
        writer.mean(blue - cb);
        writer.endOfBlock();
        writer.mean(red - cr);
        writer.endOfBlock();
        [cb, cr] = [blue, red];
      }
    }
    return writer.end();
  }
}

const SKY = 0;
const FLOOR = 1;
const FIRST_WALL = 2;
/** Cb and Cr around 0. */
const HUES: readonly (readonly [number, number])[] = [
  [25, -15],
  [-5, 5],
  [-30, 30],
  [35, -20],
  [-35, -25],
  [10, 35],
  [-45, 10],
];
const WALL_HUES = HUES.length - FIRST_WALL;

/** The (zero run, size) pairs of the noise; small adjacent values are the most common. */
const NOISE_SYMBOLS: readonly number[] = [
  ...Array.from({ length: 20 }, () => 0x01),
  ...Array.from({ length: 18 }, () => 0x02),
  ...Array.from({ length: 12 }, () => 0x03),
  ...Array.from({ length: 6 }, () => 0x11),
  ...Array.from({ length: 5 }, () => 0x12),
  ...Array.from({ length: 3 }, () => 0x21),
];
const noiseCodes = NOISE_SYMBOLS.map((symbol) => {
  const code = codeOf(acCodes, symbol);
  const size = symbol & 15;
  return { bits: code.bits << size, length: code.length + size, mask: (1 << size) - 1, run: symbol >> 4 };
});
const END_OF_BLOCK = codeOf(acCodes, 0);

function codeOf(codes: readonly (HuffmanCode | undefined)[], symbol: number): HuffmanCode {
  const code = codes[symbol];
  if (code === undefined) throw new RangeError(`no Huffman code of ${symbol}`);
  return code;
}

/** Packs Huffman codes into bytes, with the zero that JPEG requires after each 0xFF. */
class BitWriter {
  #bytes = new Uint8Array(512 * 1024);
  #at = 0;
  #held = 0;
  #count = 0;
  #random = 1;

  begin(header: Uint8Array, seed: number): void {
    this.#bytes.set(header);
    this.#at = header.length;
    this.#held = 0;
    this.#count = 0;
    this.#random = seed | 1;
  }

  end(): Uint8Array {
    this.#put(0x7f, 7);
    this.#bytes[this.#at++] = 0xff;
    this.#bytes[this.#at++] = 0xd9;
    return this.#bytes.subarray(0, this.#at);
  }

  /** A DC difference. */
  mean(difference: number): void {
    const size = 32 - Math.clz32(Math.abs(difference));
    const { bits, length } = codeOf(dcCodes, size);
    this.#put(bits, length);
    if (size > 0) this.#put(difference > 0 ? difference : difference + (1 << size) - 1, size);
  }

  endOfBlock(): void {
    this.#put(END_OF_BLOCK.bits, END_OF_BLOCK.length);
  }

  /** About this many random AC coefficients, and the end of the block. */
  noise(coefficients: number): void {
    const bytes = this.#bytes;
    let [random, at, held, count] = [this.#random, this.#at, this.#held, this.#count];
    let place = 0;
    const wanted = coefficients + (random & 1023) / 1024;
    // The hot loop of the whole fleet: the fields are local variables while it runs.
    for (let n = 1; n <= wanted; n++) {
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      const code = noiseCodes[random & 63]!;
      place += code.run + 1;
      if (place > MAX_COEFFICIENTS) break;
      held = (held << code.length) | code.bits | ((random >>> 8) & code.mask);
      count += code.length;
      while (count >= 8) {
        count -= 8;
        const byte = (held >>> count) & 255;
        bytes[at++] = byte;
        if (byte === 255) bytes[at++] = 0;
      }
    }
    this.#random = random;
    this.#at = at;
    this.#held = held;
    this.#count = count;
    this.endOfBlock();
  }

  #put(bits: number, length: number): void {
    this.#held = (this.#held << length) | bits;
    this.#count += length;
    while (this.#count >= 8) {
      this.#count -= 8;
      const byte = (this.#held >>> this.#count) & 255;
      this.#bytes[this.#at++] = byte;
      if (byte === 255) this.#bytes[this.#at++] = 0;
    }
  }
}
