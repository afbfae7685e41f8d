import type { EncodedBatch } from '../../exporters/format.js';
import type { WrittenFile } from './output-place.js';
/** Receives encoded batches and writes a file. */
export interface BatchSink {
  add(batch: EncodedBatch): Promise<void>;
  finish(): Promise<WrittenFile>;
  abort(): Promise<void>;
}
