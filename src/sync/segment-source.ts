/** The bytes of an upload, from front to back. */
export interface SegmentSource extends AsyncDisposable {
  /** Fills `target` with the next bytes. Throws `SEGMENT_CORRUPT` if they are not what was sealed. */
  read(target: Buffer): Promise<void>;
  /** After the last byte: throws `SEGMENT_CORRUPT` unless all of them were what was sealed. */
  finish(): string;
}
