/** A small seeded generator (splitmix32): the same seed gives the same fleet on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 random bits. */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    return mix(this.#state);
  }

  /** From 0 up to, but not including, 1. */
  unit(): number {
    return this.bits() / 0x1_0000_0000;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** Approximately normal, mean 0, standard deviation 1, never beyond ±3.5: a sum of four uniforms. */
  noise(): number {
    return (this.unit() + this.unit() + this.unit() + this.unit() - 2) * 1.7320508;
  }
}

/** Combines several numbers into one seed. */
export function seedOf(...parts: readonly number[]): number {
  let seed = 0x243f6a88;
  for (const part of parts) seed = mix((seed ^ (part >>> 0)) + 0x9e3779b9);
  return seed;
}

const WORDS_FROM_BYTES = 512;

/** Fills a range of bytes with incompressible data; several hundred MB/s. */
export function fillRandom(bytes: Uint8Array, from: number, to: number, seed: number): void {
  let a = seed | 1;
  let at = from;
  if (to - at >= WORDS_FROM_BYTES && (bytes.byteOffset + at) % 4 === 0) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, (to - at) >> 2);
    for (let i = 0; i < words.length; i++) {
      a ^= a << 13;
      a ^= a >>> 17;
      a ^= a << 5;
      words[i] = a;
    }
    at += words.length * 4;
  }
  while (at < to) {
    a ^= a << 13;
    a ^= a >>> 17;
    a ^= a << 5;
    for (let shift = 0; shift < 32 && at < to; shift += 8) bytes[at++] = a >>> shift;
  }
}

function mix(value: number): number {
  let z = value >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
