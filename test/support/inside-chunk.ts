import { McapIndexedReader } from '@mcap/core';

/** A place in the middle of an MCAP's first chunk, where damage costs messages. */
export async function insideFirstChunk(bytes: Uint8Array): Promise<number> {
  const reader = await McapIndexedReader.Initialize({
    readable: {
      size: () => Promise.resolve(BigInt(bytes.byteLength)),
      read: (at, length) => Promise.resolve(bytes.subarray(Number(at), Number(at + length))),
    },
  });
  const [chunk] = reader.chunkIndexes;
  if (!chunk) throw new Error('an MCAP without a chunk');
  return Number(chunk.chunkStartOffset + chunk.chunkLength / 2n);
}
