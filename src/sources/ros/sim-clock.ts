/** Nanoseconds since the epoch of a serialised rosgraph_msgs/msg/Clock, or undefined for anything else. */
export function readClock(data: Uint8Array): bigint | undefined {
  if (data.byteLength < 12) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const isLittleEndian = (view.getUint8(1) & 1) === 1;
  const nanosec = view.getUint32(8, isLittleEndian);
  return BigInt(view.getInt32(4, isLittleEndian)) * 1_000_000_000n + BigInt(nanosec);
}
