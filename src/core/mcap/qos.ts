import { parse } from 'yaml';

/** Longer texts are not parsed: no list of offers is that long. */
const MAX_TEXT = 1024 * 1024;

/**
 * True if `offered_qos_profiles`, as rosbag2 writes it into a channel's metadata, offers transient-local
 * durability. Before Jazzy it is the number 1 (rmw_qos_durability_policy_t), since then a text.
 */
export function offersTransientLocal(profiles: string | undefined): boolean {
  if (profiles === undefined || profiles.length > MAX_TEXT || !profiles.includes('durability')) return false;
  let parsed: unknown;
  try {
    parsed = parse(profiles, { logLevel: 'silent' });
  } catch {
    return false;
  }
  const list: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  return list.some((profile) => {
    if (typeof profile !== 'object' || profile === null) return false;
    const { durability } = profile as { durability?: unknown };
    return durability === 1 || durability === '1' || durability === 'transient_local';
  });
}
