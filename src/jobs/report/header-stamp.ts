import type { McapChannel } from '../../core/mcap/definitions.js';
import { parseTypeTree, type TypeNode } from '../../exporters/columns/type-tree.js';

/**
 * Reads the stamp at the start of a message, nanoseconds since the Unix epoch; `undefined` if it is cut
 * short.
 */
export type ReadStamp = (data: Uint8Array) => bigint | undefined;

/** Representation header, seconds, nanoseconds. */
const STAMP_END = 12;

/**
 * How to read the header stamp of a channel without decoding the rest: a `std_msgs/Header` or a time as the
 * first field of a CDR message comes right after the representation header. `undefined`: it has no stamp.
 */
export function stampReader({ encoding, schema }: McapChannel): ReadStamp | undefined {
  if (encoding !== 'cdr' || schema.encoding !== 'ros2msg') return undefined;
  try {
    const first = parseTypeTree(new TextDecoder().decode(schema.data), schema.name).fields[0];
    if (first === undefined || !/^(header|stamp)$/.test(first.name)) return undefined;
    if (!isTime(first.node)) {
      if (first.node.kind !== 'struct' || !isTime(first.node.fields[0]?.node)) return undefined;
    }
  } catch {
    // A definition that cannot be parsed is reported when the message is decoded.
    return undefined;
  }
  return (data) => {
    if (data.byteLength < STAMP_END || data[0] !== 0 || data[1]! > 1) return undefined;
    const view = new DataView(data.buffer, data.byteOffset, STAMP_END);
    const isLittle = data[1] === 1;
    return BigInt(view.getInt32(4, isLittle)) * 1_000_000_000n + BigInt(view.getUint32(8, isLittle));
  };
}

function isTime(node: TypeNode | undefined): boolean {
  return node?.kind === 'primitive' && node.type === 'time';
}
