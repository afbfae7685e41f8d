import type { EncodedBatch, TableSpec } from '../../exporters/format.js';
import type { OutputPlace, WrittenFile } from './output-place.js';
import type { BatchSink } from './table-file.js';

export class NumpyFile implements BatchSink {
  constructor(
    readonly path: string,
    readonly spec: TableSpec,
    readonly place: OutputPlace,
  ) {}
  add(_batch: EncodedBatch): Promise<void> {
    throw new Error('not there yet');
  }
  finish(): Promise<WrittenFile> {
    throw new Error('not there yet');
  }
  abort(): Promise<void> {
    return Promise.resolve();
  }
}
