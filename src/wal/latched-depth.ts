import { parse } from 'yaml';

/** More is never carried, whatever a publisher offers. */
const MAX_DEPTH = 100;

/**
 * How many messages a late joiner would get from all publishers of a latched topic: the sum of the offered
 * depths, 1 to 100. `profiles` is rosbag2's YAML list; anything unreadable counts as depth 1.
 */
export function latchedDepth(profiles: string | undefined): number {
  if (!profiles) return 1;
  let parsed: unknown;
  try {
    parsed = parse(profiles);
  } catch {
    // Foreign bags hold QoS in forms of their own; one message is what every late joiner gets.
    return 1;
  }
  if (!Array.isArray(parsed)) return 1;
  const depths = parsed.map((profile: unknown) => {
    const depth = Number((profile as { depth?: unknown } | null)?.depth);
    return Number.isFinite(depth) && depth > 0 ? depth : 1;
  });
  return Math.min(
    MAX_DEPTH,
    Math.max(
      1,
      depths.reduce((sum, depth) => sum + depth, 0),
    ),
  );
}
