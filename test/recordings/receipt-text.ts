import type { SegmentReceipts } from '../../src/core/receipt-file.js';

/** A receipt of `dir:/backup` for a segment of these bytes. */
export function receiptText(segment: string, robot: string, sha256: string): string {
  const receipt = { storeId: 'backup', uri: 'dir:/backup', key: 'x.mcap', sha256 };
  const receipts: SegmentReceipts = {
    ...{ version: 1, segment, robot },
    stores: [{ ...receipt, verification: 'read-back', verifiedAt: '1' }],
  };
  return JSON.stringify(receipts);
}
