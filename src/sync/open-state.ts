import { makeDirectoryDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import { sweepSegmentCopies } from '../core/segment-copies.js';
import { scratchFolder } from './segment-sender.js';
import type { SyncParts } from './sync-parts.js';

/** Creates the folders of sync and reads the state of an earlier process. It does not ask the store. */
export async function openState(parts: SyncParts): Promise<void> {
  const { fs, folder, progress, identity, tombstones, lost, ledger, encryption, options, trouble } = parts;
  for (const path of [folder.sealed, folder.receipts, folder.tombstones]) {
    await makeDirectoryDurably(fs, path).catch((error: unknown) =>
      trouble(`${path} cannot be created: ${describeError(error)}`),
    );
  }
  // Converted files that an earlier process did not send are made again.
  await fs.rm(scratchFolder(folder), { recursive: true, force: true }).catch(() => undefined);
  // A deletion removes those of its segment, and one may have been made at the same time.
  await sweepSegmentCopies(fs, folder).catch((error: unknown) =>
    trouble(`${folder.transformed} cannot be cleaned up: ${describeError(error)}`),
  );
  await encryption?.sweep();
  await progress.open();
  await identity.load();
  await lost.load(options.acknowledgeLost);
  await ledger.load();
  await tombstones.count();
}
