import { join } from 'node:path';
import { describeError } from '../core/errors.js';
import type { Manifest } from '../core/manifest.js';
import type { VerifiedRecord } from './sealed-scan.js';
import type { SyncParts } from './sync-parts.js';
import { parseSealedManifest } from './sealed-manifest.js';

type Parts = Pick<SyncParts, 'fs' | 'folder' | 'identity' | 'receipts' | 'sink' | 'store' | 'trouble'>;

/** Notes in `receipts/` that the store holds this segment, verified. Never rejects. */
export async function writeReceipt(
  { identity, store, receipts, sink }: Parts,
  name: string,
  manifest: Manifest,
  record: VerifiedRecord,
): Promise<void> {
  const { storeId } = identity;
  if (storeId === undefined) return;
  const { key, sha256, verification, verifiedAt } = record;
  const made = {
    ...(sink.form === '' ? {} : { form: sink.form }),
    ...(sink.selection.topics ? { partial: true as const } : {}),
  };
  const receipt = { storeId, uri: store.uri, ...made, key, sha256, verification, verifiedAt };
  await receipts.write(name, { segment: manifest.segment.id, robot: manifest.robot, receipt });
}

/** The same for a segment verified earlier, whose receipt file is not there. */
export async function rewriteReceipt(parts: Parts, name: string, record: VerifiedRecord): Promise<void> {
  try {
    const bytes = await parts.fs.readFile(join(parts.folder.sealed, `${name}.json`));
    await writeReceipt(parts, name, parseSealedManifest(bytes, name), record);
  } catch (error) {
    parts.trouble(`receipt of ${name} cannot be written again: ${describeError(error)}`);
  }
}
