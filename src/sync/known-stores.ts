import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import {
  KNOWN_STORES_FILE,
  readKnownStores,
  type KnownStore,
  type KnownStoresFile,
} from '../core/known-stores.js';
import { receiptFiles } from '../core/receipt-file.js';

/**
 * The store at this URI, if this data folder ever used one: from stores.json, otherwise its id from a
 * receipt.
 */
export async function readKnownStore(
  fs: FileSystem,
  folder: DataFolder,
  uri: string,
  onDamage?: (message: string) => void,
): Promise<KnownStore | undefined> {
  const known = (await readKnownStores(fs, folder, onDamage)).find((store) => store.uri === uri);
  if (known) return known;
  const storeId = await fromReceipts(fs, folder, uri);
  return storeId === undefined ? undefined : { uri, storeId };
}

export async function writeKnownStore(
  fs: FileSystem,
  folder: DataFolder,
  uri: string,
  storeId: string,
  markName: string,
  mark: string | undefined,
): Promise<void> {
  const all = await readKnownStores(fs, folder);
  const before = all.find((store) => store.uri === uri && store.storeId === storeId);
  const marks = { ...before?.marks, ...(mark !== undefined && { [markName]: mark }) };
  await writeAll(fs, folder, [...all.filter((store) => store.uri !== uri), { uri, storeId, marks }]);
}

/** As if it had never been used. */
export async function forgetKnownStore(fs: FileSystem, folder: DataFolder, uri: string): Promise<void> {
  const all = await readKnownStores(fs, folder);
  await writeAll(
    fs,
    folder,
    all.filter((store) => store.uri !== uri),
  );
}

async function writeAll(fs: FileSystem, { root }: DataFolder, stores: readonly KnownStore[]): Promise<void> {
  const content: KnownStoresFile = { version: 1, stores };
  await writeFileDurably(fs, join(root, KNOWN_STORES_FILE), `${JSON.stringify(content, null, 1)}\n`);
}

async function fromReceipts(fs: FileSystem, folder: DataFolder, uri: string): Promise<string | undefined> {
  const names = await fs.readdir(folder.receipts).catch(() => [] as string[]);
  for (const name of names.sort().reverse()) {
    if (!name.endsWith('.json')) continue;
    const bytes = await readFileIfPresent(fs, join(folder.receipts, name)).catch(() => undefined);
    // A damaged receipt has no information; try the next one.
    const found = receiptFiles
      .parseIfValid(bytes?.toString('utf8'))
      ?.stores.find((store) => store.uri === uri);
    if (found !== undefined && found.storeId !== '') return found.storeId;
  }
  return undefined;
}
