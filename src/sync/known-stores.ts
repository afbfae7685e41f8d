import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { SegmentReceipts } from '../core/receipt-file.js';

/** Name inside the data folder. Not in `data/sync`: losing that must not turn a known store into a new one. */
export const KNOWN_STORES_FILE = 'stores.json';

interface KnownStoresFile {
  readonly version: 1;
  readonly stores: readonly { readonly uri: string; readonly storeId: string }[];
}

const isId = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** The id of the store at this URI, if this data folder ever used one: from stores.json, else from a receipt. */
export async function readKnownStore(
  fs: FileSystem,
  folder: DataFolder,
  uri: string,
): Promise<string | undefined> {
  const known = (await readFile(fs, folder)).stores.find((store) => store.uri === uri);
  return known ? known.storeId : fromReceipts(fs, folder, uri);
}

export async function writeKnownStore(
  fs: FileSystem,
  folder: DataFolder,
  uri: string,
  storeId: string,
): Promise<void> {
  const others = (await readFile(fs, folder)).stores.filter((store) => store.uri !== uri);
  const content: KnownStoresFile = { version: 1, stores: [...others, { uri, storeId }] };
  await writeFileDurably(fs, join(folder.root, KNOWN_STORES_FILE), `${JSON.stringify(content, null, 1)}\n`);
}

async function readFile(fs: FileSystem, folder: DataFolder): Promise<KnownStoresFile> {
  const none: KnownStoresFile = { version: 1, stores: [] };
  const bytes = await readFileIfPresent(fs, join(folder.root, KNOWN_STORES_FILE));
  try {
    const json = JSON.parse(bytes?.toString('utf8') ?? 'null') as KnownStoresFile | null;
    const stores = Array.isArray(json?.stores) ? json.stores : [];
    return { version: 1, stores: stores.filter((store) => isId(store.uri) && isId(store.storeId)) };
  } catch {
    return none;
  }
}

async function fromReceipts(fs: FileSystem, folder: DataFolder, uri: string): Promise<string | undefined> {
  const names = await fs.readdir(folder.receipts).catch(() => [] as string[]);
  for (const name of names.sort().reverse()) {
    if (!name.endsWith('.json')) continue;
    const bytes = await readFileIfPresent(fs, join(folder.receipts, name)).catch(() => undefined);
    try {
      const receipts = JSON.parse(bytes?.toString('utf8') ?? '{}') as Partial<SegmentReceipts>;
      const found = receipts.stores?.find((store) => store.uri === uri);
      if (found && isId(found.storeId)) return found.storeId;
    } catch {
      // A damaged receipt says nothing; the next one may.
    }
  }
  return undefined;
}
