/**
 * `receipts/<sealed name without .mcap>.json`: written durably by sync once a store provably holds the
 * segment and its manifest; read by the recorder's retention. One entry per store and form.
 */
export interface SegmentReceipts {
  readonly version: 1;
  readonly segment: string;
  readonly robot: string;
  readonly stores: readonly StoreReceipt[];
}

export interface StoreReceipt {
  readonly storeId: string;
  readonly uri: string;
  /** What was made of the segment, where it is not the sealed file itself: the sink's `form`. */
  readonly form?: string;
  /** The store holds only some topics of the segment. */
  readonly partial?: true;
  /** Of the object, or of the manifest that lists the files made of the segment. */
  readonly key: string;
  /** Of the sealed file. */
  readonly sha256: string;
  readonly verification: 'store-checksum' | 'read-back';
  /** Decimal nanoseconds since the Unix epoch. */
  readonly verifiedAt: string;
}

/** Name of the receipt (and tombstone) file that belongs to a sealed MCAP's name. */
export function receiptFileName(sealedName: string): string {
  return sealedName.replace(/\.mcap$/, '.json');
}
