import { frameOf, type FileFrame } from '../../exporters/encoders.js';
import type { Batch } from '../../exporters/columns/batch.js';
import type { EncodedBatch, TableSpec } from '../../exporters/format.js';
import type { BatchSink } from './batch-sink.js';
import type { EncodePool } from './encode-pool.js';
import { NumpyFile } from './numpy-file.js';
import type { OutputPlace, PlaceFile, WrittenFile } from './output-place.js';

/** A finished file of an export, as the manifest lists it. */
export interface ExportedFile extends WrittenFile {
  /** Path below the export's folder. */
  readonly path: string;
  /** Rows, or messages of an MCAP file. */
  readonly rows: number;
  /** Keys of the tallies of the topics in it; absent: all of its step. */
  readonly holds?: readonly string[];
}

/** One file of a table, written in the order of its batches, in whatever order the threads finish them. */
export class TableFile {
  #tail: Promise<void> = Promise.resolve();
  #rows = 0;
  readonly #table: number;

  private constructor(
    readonly path: string,
    readonly spec: TableSpec,
    readonly pool: EncodePool,
    readonly sink: BatchSink,
  ) {
    this.#table = pool.newTable();
  }

  static async open(
    path: string,
    spec: TableSpec,
    pool: EncodePool,
    place: OutputPlace,
    createdBy: string,
  ): Promise<TableFile> {
    const frame = frameOf(spec, createdBy);
    const sink =
      frame === undefined
        ? new NumpyFile(path, spec, place)
        : await FramedFile.open(frame, await place.create(path));
    return new TableFile(path, spec, pool, sink);
  }

  /** Resolves when the batch was handed over; it is written later. */
  async add(batch: Batch): Promise<void> {
    const { encoded } = await this.pool.submit(this.#table, this.spec, batch);
    const before = this.#tail;
    this.#tail = (async () => {
      try {
        await before;
        const done = await encoded;
        this.#rows += (done.meta as { written?: number } | undefined)?.written ?? done.rows;
        await this.sink.add(done);
      } finally {
        this.pool.release();
      }
    })();
    this.#tail.catch(() => {});
  }

  async finish(): Promise<ExportedFile> {
    await this.#tail;
    this.pool.forget(this.#table);
    return { path: this.path, rows: this.#rows, ...(await this.sink.finish()) };
  }

  async abort(): Promise<void> {
    await this.#tail.catch(() => undefined);
    this.pool.forget(this.#table);
    await this.sink.abort();
  }
}

/** Formats of one part: a beginning, batches, an end. */
class FramedFile implements BatchSink {
  private constructor(
    readonly frame: FileFrame,
    readonly file: PlaceFile,
  ) {}

  static async open(frame: FileFrame, file: PlaceFile): Promise<FramedFile> {
    await file.write(frame.start());
    return new FramedFile(frame, file);
  }

  async add(batch: EncodedBatch): Promise<void> {
    this.frame.add(batch);
    for (const { bytes } of batch.pieces) await this.file.write(bytes);
  }

  async finish(): Promise<WrittenFile> {
    await this.file.write(this.frame.finish());
    return this.file.finish();
  }

  abort(): Promise<void> {
    return this.file.abort();
  }
}
