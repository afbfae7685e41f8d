import { isStoreUri } from '../core/store-uri.js';
import type { Priority } from '../core/message.js';
import { matchesRobot } from '../core/vin.js';
import { parseDurationMs } from '../settings/units.js';

/** What happens to segments of a store that are older than an age. */
export interface AgeingRule {
  /** As it was given. */
  readonly text: string;
  readonly action: 'keep' | 'delete' | 'move';
  /** Of the last message of a segment. */
  readonly afterMs: number;
  /** Absent: all classes. */
  readonly classes?: readonly Priority[];
  /** Names, where `*` stands for any text, or VINs. Absent: all robots. */
  readonly robots?: readonly string[];
  /** URI of the store for `move`. */
  readonly to?: string;
}

const CLASSES: ReadonlySet<string> = new Set<Priority>(['high', 'normal', 'low']);

export const AGEING_RULE_FORM =
  'keep, delete or move, then after=DURATION (30d, 12h), and if wanted class=low,normal, robot=NAME,VIN (* ' +
  'stands for any text of a name) and, for move, to=URI of the other store';

/** `move after=30d class=low to=s3://cold/fleet`; undefined if it is not one. */
export function parseAgeingRule(text: string): AgeingRule | undefined {
  const [action, ...words] = text.trim().split(/\s+/);
  if (action !== 'keep' && action !== 'delete' && action !== 'move') return undefined;
  const given = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    const [name, value] = [word.slice(0, at), word.slice(at + 1)];
    if (at < 1 || value === '' || given.has(name) || !/^(after|class|robot|to)$/.test(name)) return undefined;
    given.set(name, value);
  }
  const afterMs = parseDurationMs(given.get('after') ?? (action === 'keep' ? '0' : ''));
  const classes = given.get('class')?.split(',');
  const to = given.get('to');
  if (afterMs === undefined || (afterMs === 0 && action !== 'keep')) return undefined;
  if (classes?.some((name) => !isClass(name)) === true) return undefined;
  if ((action === 'move') !== (to !== undefined) || (to !== undefined && !isStoreUri(to))) return undefined;
  return {
    ...{ text: text.trim(), action, afterMs },
    ...(classes && { classes: classes.filter(isClass) }),
    ...(given.has('robot') && { robots: given.get('robot')?.split(',') ?? [] }),
    ...(to !== undefined && { to }),
  };
}

function isClass(name: string): name is Priority {
  return CLASSES.has(name);
}

/** What a rule looks at. */
export interface AgedSegment {
  readonly robot: string;
  /** Absent: the manifest has none. */
  readonly vin?: string;
  readonly priority: Priority;
  /** Nanoseconds since the Unix epoch. */
  readonly lastLogTime: bigint;
}

/** The first rule that fits; undefined: the segment stays. */
export function ruleFor(
  segment: AgedSegment,
  rules: readonly AgeingRule[],
  now: bigint,
): AgeingRule | undefined {
  return rules.find(
    ({ afterMs, classes, robots }) =>
      now - segment.lastLogTime >= BigInt(afterMs) * 1_000_000n &&
      (classes === undefined || classes.includes(segment.priority)) &&
      matchesRobot(robots, segment.robot, segment.vin),
  );
}
