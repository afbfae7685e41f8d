import { defined } from '../core/defined.js';
import type { Manifest } from '../core/manifest.js';
import type { EncryptedObject, StoreAnswer } from '../core/receipt-file.js';
import type { VerifiedRecord } from './sealed-scan.js';
import type { SyncParts } from './sync-parts.js';

type Parts = Pick<SyncParts, 'receipts' | 'sink' | 'store'>;

/** Records in `receipts/` the store's answer about this segment, and how it was verified. Never rejects. */
export async function writeReceipt(
  { store, receipts, sink }: Parts,
  name: string,
  { segment, robot, file }: Pick<Manifest, 'segment' | 'robot' | 'file'>,
  { key, sha256, verification, verifiedAt }: Omit<VerifiedRecord, 'state' | 'bytes'>,
  asked: StoreAnswer,
  encrypted?: EncryptedObject,
): Promise<void> {
  const made = {
    ...(sink.form === '' ? {} : { form: sink.form }),
    ...(sink.selection.topics || sink.partial ? { partial: true as const } : {}),
  };
  const { storeId } = asked;
  const sums = { sha256, crc32: file.crc32 };
  const place = { storeId, uri: store.uri, ...made, key, ...sums, ...defined({ encrypted }) };
  const receipt = { ...place, verification, verifiedAt, asked };
  await receipts.write(name, { segment: segment.id, robot, receipt });
}
