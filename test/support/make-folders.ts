import * as fs from 'node:fs/promises';
import type { DataFolder } from '../../src/core/data-folder.js';

/** The folders that a recorder makes at its start. */
export async function makeFolders(folder: DataFolder): Promise<void> {
  const { sealed, wal, receipts, tombstones, quarantine, trash } = folder;
  for (const path of [sealed, wal, receipts, tombstones, quarantine, trash]) {
    await fs.mkdir(path, { recursive: true });
  }
}
