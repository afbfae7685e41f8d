import { crc32 } from 'node:zlib';
import { cdrKindOf } from '../../core/ros/cdr-kind.js';
import type { Schema } from '../../core/message.js';
import { parseTypeTree } from '../../exporters/columns/type-tree.js';

/** Whether the type begins with a header: a stamp and a frame name. */
export function beginsWithHeader(schema: Schema): boolean {
  const first = parseTypeTree(new TextDecoder().decode(schema.data), schema.name).fields[0]?.node;
  if (first?.kind !== 'struct' || first.fields.length !== 2) return false;
  const [stamp, frame] = first.fields.map(({ node }) => (node.kind === 'primitive' ? node.type : ''));
  return stamp === 'time' && frame === 'string';
}

/** A hash of a CDR payload without its header: equal images have equal hashes, although their stamps differ. */
export function contentHash(payload: Uint8Array, hasHeader: boolean): number {
  return crc32(payload.subarray(Math.min(payload.byteLength, hasHeader ? headerEnd(payload) : 4)));
}

function headerEnd(payload: Uint8Array): number {
  // Encapsulation, seconds, nanoseconds, and the length before the text of the frame name.
  if (payload.byteLength < 16) return 4;
  let end = 16;
  let littleEndian: boolean;
  try {
    const kind = cdrKindOf(payload);
    ({ littleEndian } = kind);
    // The sizes of message, header and stamp.
    if (kind.layout === 'delimited') end += 12;
    // The end of a mutable type's header depends on more: compare the whole.
    if (kind.layout === 'mutable') return 4;
  } catch {
    // A payload that is not decoded is compared as a whole.
    return 4;
  }
  if (payload.byteLength < end) return 4;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return end + view.getUint32(end - 4, littleEndian);
}
