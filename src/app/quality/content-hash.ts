import { crc32 } from 'node:zlib';
import type { Schema } from '../../core/message.js';
import { parseTypeTree } from '../../exporters/columns/type-tree.js';

/** Whether the type begins with a header: a stamp and a frame name. */
export function beginsWithHeader(schema: Schema): boolean {
  const first = parseTypeTree(new TextDecoder().decode(schema.data)).fields[0]?.node;
  if (first?.kind !== 'struct' || first.fields.length !== 2) return false;
  const [stamp, frame] = first.fields.map(({ node }) => (node.kind === 'primitive' ? node.type : ''));
  return stamp === 'time' && frame === 'string';
}

/**
 * A hash of a CDR payload, without its header where it has one: equal images have equal hashes, though their
 * stamps differ.
 */
export function contentHash(payload: Uint8Array, hasHeader: boolean): number {
  return crc32(payload.subarray(Math.min(payload.byteLength, hasHeader ? headerEnd(payload) : 4)));
}

function headerEnd(payload: Uint8Array): number {
  if (payload.byteLength < 16) return 4;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  // Encapsulation, seconds, nanoseconds, and the length of the frame name in front of its text.
  return 16 + view.getUint32(12, (payload[1]! & 1) === 1);
}
