import { configInvalid } from '../../settings/fault.js';
import { matches } from '../../recordings/message-filter.js';
import type { InspectedSegment } from './inspect.js';

/** Stands for the latest session. */
const LATEST = 'latest';
/** Maximum number of sessions in an error. */
const LISTED_MAX = 8;

/**
 * The segments of the wanted sessions: ids, `*` stands for any text, or `latest`. Throws `CONFIG_INVALID` if
 * a recording has none of a wanted one.
 */
export function ofSessions(
  inspected: readonly InspectedSegment[],
  wanted: readonly string[] | undefined,
): readonly InspectedSegment[] {
  if (wanted === undefined) return inspected;
  const known = [...new Set(inspected.map(({ session }) => session))].filter((session) => session !== '');
  const latest = latestOf(inspected);
  const patterns = wanted.flatMap((one) => (one === LATEST ? (latest ?? []) : one));
  const missing = wanted.filter((one) => {
    return one === LATEST ? latest === undefined : !known.some((session) => matches([one], session));
  });
  if (missing.length > 0) {
    const listed = known.slice(0, LISTED_MAX).join(', ') + (known.length > LISTED_MAX ? ', ...' : '');
    const allowed = `allowed: ${known.length === 0 ? 'nothing, the recording names no session' : `latest, ${listed}`}`;
    throw configInvalid(missing.map((value) => ({ where: '--session', path: 'session', value, allowed })));
  }
  return inspected.filter(({ session }) => session !== '' && matches(patterns, session));
}

function latestOf(inspected: readonly InspectedSegment[]): string | undefined {
  let latest: InspectedSegment | undefined;
  for (const one of inspected) {
    if (one.session === '' || one.lastLogTime === undefined) continue;
    if (latest?.lastLogTime === undefined || one.lastLogTime > latest.lastLogTime) latest = one;
  }
  return latest?.session;
}
