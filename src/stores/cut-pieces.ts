/** The same bytes in pieces of one size; the last is shorter, and none is empty. Holds one piece. */
export async function* cutPieces(
  content: AsyncIterable<Uint8Array>,
  pieceBytes: number,
): AsyncGenerator<Buffer> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    for (let rest = chunk; rest.byteLength > 0;) {
      const head = rest.subarray(0, pieceBytes - bytes);
      rest = rest.subarray(head.byteLength);
      chunks.push(head);
      bytes += head.byteLength;
      if (bytes < pieceBytes) continue;
      yield Buffer.concat(chunks, bytes);
      [chunks, bytes] = [[], 0];
    }
  }
  if (bytes > 0) yield Buffer.concat(chunks, bytes);
}
