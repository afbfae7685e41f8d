/** The send policy keeps the rest of a segment waiting: no failure of the segment, the store or the link. */
export class SendingWaits extends Error {
  override readonly name = 'SendingWaits';
}
