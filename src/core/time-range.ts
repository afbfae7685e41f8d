/**
 * The latest time that every format can hold: rosbag2, Parquet and NumPy count nanoseconds since 1970 in a
 * signed 64-bit number (year 2262), MCAP in an unsigned one (year 2554).
 */
export const LATEST_TIME_NS = 2n ** 63n - 1n;

/**
 * A time in nanoseconds since the Unix epoch, limited to the range from 1970 to `latest` (default: {@link
 * LATEST_TIME_NS}).
 */
export function clampTime(ns: bigint, latest = LATEST_TIME_NS): bigint {
  return ns < 0n ? 0n : ns > latest ? latest : ns;
}
