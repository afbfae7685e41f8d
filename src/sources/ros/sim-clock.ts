import { cdrKindOf } from '../../core/ros/cdr-kind.js';

/** Nanoseconds since the epoch of a serialised rosgraph_msgs/msg/Clock, or undefined for anything else. */
export function readClock(data: Uint8Array): bigint | undefined {
  let at = 4;
  let littleEndian: boolean;
  try {
    const kind = cdrKindOf(data);
    ({ littleEndian } = kind);
    // The sizes of the message and of the time in it.
    if (kind.layout === 'delimited') at += 8;
    if (kind.layout === 'mutable') return undefined;
  } catch {
    return undefined;
  }
  if (data.byteLength < at + 8) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return (
    BigInt(view.getInt32(at, littleEndian)) * 1_000_000_000n + BigInt(view.getUint32(at + 4, littleEndian))
  );
}
