/**
 * MCAP has 32 bits for the sequence of a message. Where a source's numbers identify messages
 * (`Channel.numberedIn`) and one passes 2^32, its messages go to a channel whose metadata has the number's
 * upper bits under this key, in decimal; absent: 0.
 */
export const SEQUENCE_HIGH_KEY = 'holdfast_sequence_high';

/** The whole number of a message of a channel with this metadata. */
export function fullSequence(metadata: Readonly<Record<string, string>>, sequence: number): bigint {
  const high = metadata[SEQUENCE_HIGH_KEY];
  return high !== undefined && /^\d{1,10}$/.test(high)
    ? (BigInt(high) << 32n) + BigInt(sequence)
    : BigInt(sequence);
}
