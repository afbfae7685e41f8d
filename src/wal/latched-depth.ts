import { parse } from 'yaml';

/** Maximum depth, even if a publisher offers more. */
const MAX_DEPTH = 100;

/**
 * How many messages a late joiner would get from all publishers of a latched topic: the sum of the offered
 * depths, 1 to 100. `profiles` is rosbag2's YAML list; an unreadable one counts as depth 1.
 */
export function latchedDepth(profiles: string | undefined): number {
  if (!profiles) return 1;
  let parsed: unknown;
  try {
    parsed = parse(profiles);
  } catch {
    // Other tools write QoS in other forms; every late joiner gets at least one message.
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
