import { join } from 'node:path';
import type { DataFolder } from './data-folder.js';
import { documentKind } from './documents/document.js';
import { knownStoresSchema } from './documents/folder-schemas.js';
import { readStateIfReadable } from './durable-files.js';
import { describeError } from './errors.js';
import type { FileSystem } from './file-system.js';

/**
 * File name in the data folder. It is not in `data/sync`, because a lost sync folder must not turn a known
 * store into a new one.
 */
export const KNOWN_STORES_FILE = 'stores.json';

/** What this data folder knows about a store. */
export interface KnownStore {
  readonly uri: string;
  readonly storeId: string;
  /**
   * Name and content of the mark that sync last wrote into the store. A store without it is another place, or
   * an earlier state.
   */
  readonly marks?: Readonly<Record<string, string>>;
}

export interface KnownStoresFile {
  readonly version: 1;
  readonly stores: readonly KnownStore[];
}

/** Schema of `stores.json`. */
export const knownStoreFiles = documentKind<KnownStoresFile>('list of stores', knownStoresSchema);

/**
 * Every store that this data folder ever used. Empty if the file is missing or damaged: sync then writes it
 * again, and recognises stores by their receipts until then.
 *
 * @param onDamage - Called with a sentence if the file exists and is damaged.
 */
export async function readKnownStores(
  fs: FileSystem,
  { root }: DataFolder,
  onDamage?: (message: string) => void,
): Promise<readonly KnownStore[]> {
  const bytes = await readStateIfReadable(fs, join(root, KNOWN_STORES_FILE));
  if (bytes === undefined) return [];
  try {
    return knownStoreFiles.parse(bytes.toString('utf8'), KNOWN_STORES_FILE).stores;
  } catch (error) {
    onDamage?.(describeError(error));
    return [];
  }
}
