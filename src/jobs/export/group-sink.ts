import type { McapMessage } from '../../core/mcap/block.js';
import type { OutputPlace } from './output-place.js';
import type { EncodePool } from './encode-pool.js';
import type { ExportOptions } from './export-options.js';
import type { ExportedFile } from './table-file.js';
import type { TopicTally } from './topic-tally.js';

/** A message with its origin. */
export interface ExportMessage {
  readonly message: McapMessage;
  readonly robot: string;
}

export interface WindowResult {
  readonly files: readonly ExportedFile[];
  readonly tallies: readonly TopicTally[];
}

/** Receives the messages of one group in log-time order and writes them to files, window by window. */
export interface GroupSink {
  /** A promise: await it before the next message. */
  add(one: ExportMessage): Promise<void> | undefined;
  /** Finishes the files of the window that ends here; they are durable when this resolves. */
  endWindow(): Promise<WindowResult>;
  /** Drops unfinished files. */
  abort(): Promise<void>;
}

/** What every sink of an export shares. */
export interface SinkContext {
  readonly options: ExportOptions;
  readonly place: OutputPlace;
  readonly pool: EncodePool;
  /** Name and version of the writer. */
  readonly createdBy: string;
  readonly version: string;
  /** Facts of the group for its paths. */
  readonly segment: string;
  readonly session: string;
}
