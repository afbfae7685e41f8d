import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import { HoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { LAKE_FOLDER } from '../core/lake-manifest.js';
import type { Store } from '../core/store.js';
import { readSmallObject } from '../recordings/store-readable.js';
import { decodeHold, encodeHold, type LegalHold } from './legal-hold.js';

/** In a data folder, and below {@link LAKE_FOLDER} in a store: one file for each hold, so that none replaces another. */
const HOLDS = 'holds';
/** Maximum bytes of the file of a hold. */
const HOLD_MAX_BYTES = 64 * 1024;

/** The legal holds of one place. */
export interface HoldBook {
  /** All of them, also released ones, in the order of their ids. Throws `MANIFEST_INVALID` for a damaged one. */
  list(): Promise<LegalHold[]>;
  /** Durable when this resolves. */
  write(hold: LegalHold): Promise<void>;
}

/** The holds of a data folder. */
export function folderHolds(fs: FileSystem, { root }: DataFolder): HoldBook {
  const folder = join(root, HOLDS);
  return {
    async list() {
      const names = await fs.readdir(folder).catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return [] as string[];
        throw error;
      });
      const found: LegalHold[] = [];
      for (const name of names.filter((one) => one.endsWith('.json')).sort()) {
        const bytes = await readFileIfPresent(fs, join(folder, name));
        if (bytes) found.push(decodeHold(bytes.toString('utf8'), join(folder, name)));
      }
      return found;
    },
    async write(hold) {
      await makeDirectoryDurably(fs, folder);
      await writeFileDurably(fs, join(folder, `${hold.id}.json`), encodeHold(hold));
    },
  };
}

/** The holds of a store. */
export function storeHolds(store: Store, signal: AbortSignal): HoldBook {
  const prefix = `${LAKE_FOLDER}/${HOLDS}/`;
  return {
    async list() {
      const found: LegalHold[] = [];
      for await (const { key, bytes } of store.list(prefix, { signal })) {
        if (!key.endsWith('.json')) continue;
        if (bytes > HOLD_MAX_BYTES) {
          const size = `${bytes} bytes, allowed: ${HOLD_MAX_BYTES}`;
          throw new HoldfastError('MANIFEST_INVALID', `legal hold ${key} has ${size}`, { facts: { key } });
        }
        const text = Buffer.from(await readSmallObject(store, key, bytes, signal)).toString('utf8');
        found.push(decodeHold(text, `${store.uri} ${key}`));
      }
      return found;
    },
    async write(hold) {
      await store.put(`${prefix}${hold.id}.json`, Buffer.from(encodeHold(hold)), { signal });
    },
  };
}
