import { basename, dirname, join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { documentKind } from '../core/documents/document.js';
import { schemaBookSchema } from '../core/documents/folder-schemas.js';
import { makeDirectoryDurably, readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { Manifest } from '../core/manifest.js';
import { compareSchemas, type SchemaChange, type TableSchema } from '../core/table-schema.js';

/** Maximum number of tables, and of columns of all tables; those unchanged for longest are forgotten first. */
const MAX_TABLES = 10_000;
const MAX_COLUMNS = 200_000;

/** A table's columns since a segment. */
interface KnownSchema extends TableSchema {
  readonly robot: string;
  /** Number of the segment in which they first appeared. */
  readonly since: number;
}

interface BookFile {
  readonly version: 1;
  readonly tables: readonly KnownSchema[];
}

const kind = documentKind<BookFile>('table schemas', schemaBookSchema);

/**
 * The last columns of a sink's tables, kept over restarts, so that a change is detected. If the file is lost
 * or damaged it starts empty: the next segment of each table is then compared with nothing.
 */
export class SchemaBook {
  readonly #fs: FileSystem;
  readonly #path: string;
  #tables: Map<string, KnownSchema> | undefined;

  constructor(fs: FileSystem, { sync, sinks }: Pick<DataFolder, 'sync' | 'sinks'>) {
    this.#fs = fs;
    this.#path = join(sinks, `${basename(sync)}.schemas.json`);
  }

  /** The difference from the previous segment; none for a segment older than the known ones. */
  async note(
    { robot, segment: { number } }: Manifest,
    schemas: readonly TableSchema[],
  ): Promise<readonly SchemaChange[]> {
    const tables = await this.#read();
    const changes: SchemaChange[] = [];
    let isNew = false;
    for (const schema of schemas) {
      const key = JSON.stringify([robot, schema.table, schema.name]);
      const before = tables.get(key);
      if (before !== undefined && before.since > number) continue;
      const change = before && compareSchemas(before, schema);
      if (before !== undefined && change === undefined) continue;
      if (change) changes.push(change);
      isNew = true;
      tables.delete(key);
      tables.set(key, { robot, ...schema, since: number });
    }
    if (isNew) await this.#write(tables);
    return changes;
  }

  async #read(): Promise<Map<string, KnownSchema>> {
    if (this.#tables === undefined) {
      const bytes = await readStateIfReadable(this.#fs, this.#path);
      const tables = kind.parseIfValid(bytes?.toString('utf8'))?.tables ?? [];
      this.#tables = new Map(tables.map((one) => [JSON.stringify([one.robot, one.table, one.name]), one]));
    }
    return this.#tables;
  }

  async #write(tables: Map<string, KnownSchema>): Promise<void> {
    let columns = [...tables.values()].reduce((sum, one) => sum + one.columns.length, 0);
    for (const [key, one] of tables) {
      if (tables.size <= MAX_TABLES && columns <= MAX_COLUMNS) break;
      tables.delete(key);
      columns -= one.columns.length;
    }
    await makeDirectoryDurably(this.#fs, dirname(this.#path));
    const file: BookFile = { version: 1, tables: [...tables.values()] };
    await writeFileDurably(this.#fs, this.#path, JSON.stringify(file));
  }
}
