import { join } from 'node:path';
import { makeDirectoryDurably, writeFileDurably } from '../../core/durable-files.js';
import type { FileSystem } from '../../core/file-system.js';
import { MessageTable, type MessageKind } from '../../exporters/columns/message-table.js';
import type { TableSpec } from '../../exporters/format.js';
import { ParquetFile } from '../../exporters/parquet/parquet-file.js';
import { version } from '../../host/version.js';

/** Hidden, so that it does not look like a part of a kept export. */
const FOLDER = '.empty';

/**
 * Writes a Parquet file without rows for topics without a file in the export: no message lies in the selected
 * time, or none can be decoded. SQL then finds their columns and no rows, as in any empty table.
 */
export class EmptyTables {
  #count = 0;

  constructor(
    readonly fs: FileSystem,
    /** Of the export; it must exist. */
    readonly exportFolder: string,
  ) {}

  /** The path of a new file with the columns that messages of these kinds have. */
  async write(kinds: readonly MessageKind[]): Promise<string> {
    const { columns } = new MessageTable(kinds, { flatten: false, raw: false });
    const spec: TableSpec = { format: 'parquet', columns, flatten: false };
    const file = new ParquetFile(spec, `holdfast ${version}`);
    const folder = join(this.exportFolder, FOLDER);
    await makeDirectoryDurably(this.fs, folder);
    const path = join(folder, `${++this.#count}.parquet`);
    await writeFileDurably(this.fs, path, Buffer.concat([file.start(), file.finish()]));
    return path;
  }
}
