import { HoldfastError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import type { EncodedBatch, TableSpec } from '../../exporters/format.js';
import { npyHeader } from '../../exporters/numpy/npy-header.js';
import { NpzPlan, type NpyEntry } from '../../exporters/numpy/npz-plan.js';
import { ZipWriter } from '../../exporters/numpy/zip.js';
import type { OutputPlace, WrittenFile } from './output-place.js';
import type { BatchSink } from './batch-sink.js';
import type { PooledFile } from './write-handles.js';

const PIECE_BYTES = 1024 * 1024;
let scratchFiles = 0;

interface Extent {
  readonly at: number;
  readonly bytes: number;
}

/**
 * A `.npz`: the columns are collected in one scratch file, because an array's shape comes before its values,
 * and assembled at the end, piece by piece.
 */
export class NumpyFile implements BatchSink {
  readonly #plan: NpzPlan;
  readonly #parts = new Map<string, Extent[]>();
  #scratch: PooledFile | undefined;
  #at = 0;

  constructor(
    readonly path: string,
    readonly spec: TableSpec,
    readonly place: OutputPlace,
  ) {
    this.#plan = new NpzPlan(spec);
  }

  async add(batch: EncodedBatch): Promise<void> {
    this.#scratch ??= await this.place.openScratch(`npz-${scratchFiles++}`);
    this.#plan.add(batch);
    for (const { part, bytes } of batch.pieces) {
      const extents = this.#parts.get(part) ?? [];
      this.#parts.set(part, extents);
      extents.push({ at: this.#at, bytes: bytes.byteLength });
      await this.#scratch.write(bytes, this.#at);
      this.#at += bytes.byteLength;
    }
  }

  async finish(): Promise<WrittenFile> {
    const file = await this.place.create(this.path);
    try {
      const zip = new ZipWriter((bytes) => file.write(bytes));
      for (const entry of this.#plan.entries()) await zip.add(`${entry.name}.npy`, this.#content(entry));
      await zip.finish();
      return await file.finish();
    } catch (error) {
      await file.abort();
      throw error;
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    await this.#scratch?.close().catch(() => undefined);
    this.#scratch = undefined;
  }

  async *#content(entry: NpyEntry): AsyncGenerator<Uint8Array, void, void> {
    yield npyHeader(entry.dtype, entry.shape);
    const { source } = entry;
    switch (source.how) {
      case 'copy':
        yield* this.#read(source.part);
        return;
      case 'offsets':
        yield* this.#offsets(source.part);
        return;
      case 'utf32':
        yield* this.#texts(source.part, source.lengths, source.width);
    }
  }

  async *#read(part: string): AsyncGenerator<Buffer, void, void> {
    for (const { at, bytes } of this.#parts.get(part) ?? []) {
      for (let from = 0; from < bytes; from += PIECE_BYTES) {
        const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, bytes - from));
        const read = await present(this.#scratch).read(piece, at + from);
        if (read < piece.byteLength) throw new HoldfastError('INTERNAL', 'a scratch file is too short');
        yield piece;
      }
    }
  }

  /** Counts (four bytes each; pieces hold whole ones) as running sums. */
  async *#offsets(part: string): AsyncGenerator<Uint8Array, void, void> {
    let sum = 0n;
    yield Buffer.alloc(8);
    for await (const piece of this.#read(part)) {
      const out = new BigInt64Array(piece.byteLength / 4);
      for (let i = 0; i < out.length; i++) out[i] = sum += BigInt(piece.readUInt32LE(4 * i));
      yield new Uint8Array(out.buffer);
    }
  }

  async *#texts(part: string, lengths: string, width: number): AsyncGenerator<Uint8Array, void, void> {
    const bytes = this.#read(part);
    let held = Buffer.alloc(0);
    for await (const counts of this.#read(lengths)) {
      for (let from = 0; from < counts.byteLength; from += 4 * 1024) {
        const rows = Math.min(1024, (counts.byteLength - from) / 4);
        const out = new Uint32Array(rows * width);
        for (let row = 0; row < rows; row++) {
          const length = counts.readUInt32LE(from + 4 * row);
          while (held.byteLength < length) {
            const next = await bytes.next();
            if (next.done === true) throw new HoldfastError('INTERNAL', 'a scratch file is too short');
            held = Buffer.concat([held, next.value]);
          }
          let at = row * width;
          for (const character of held.toString('utf8', 0, length))
            out[at++] = present(character.codePointAt(0));
          held = held.subarray(length);
        }
        yield new Uint8Array(out.buffer);
      }
    }
  }
}
