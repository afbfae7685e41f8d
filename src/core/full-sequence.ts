/**
 * MCAP has 32 bits for the sequence of a message. If the numbers of a source identify messages
 * (`Channel.numberedIn`) and a number passes 2^32, its messages go to another channel. The metadata of that
 * channel has the upper bits of the number under this key, in decimal; absent: 0.
 */
export const SEQUENCE_HIGH_KEY = 'holdfast_sequence_high';

/** The whole number of a message, from the metadata of its channel and its MCAP sequence. */
export function fullSequence(metadata: Readonly<Record<string, string>>, sequence: number): bigint {
  const high = metadata[SEQUENCE_HIGH_KEY];
  return high !== undefined && /^\d{1,10}$/.test(high)
    ? (BigInt(high) << 32n) + BigInt(sequence)
    : BigInt(sequence);
}
