import type { SegmentRow } from '../../recordings/list-segments.js';

/** What a recording holds of one robot. Times are decimal nanoseconds since the Unix epoch. */
export interface RobotTotal {
  /** Empty: recordings of other tools. */
  readonly robot: string;
  readonly segments: number;
  readonly messages: number;
  readonly bytes: number;
  readonly firstLogTime: string | null;
  readonly lastLogTime: string | null;
}

/** States of segments whose messages can be read. */
const READABLE: ReadonlySet<string> = new Set(['sealed', 'uploaded', 'file', 'unfinished']);

/** One total per robot, by name. Memory: one total each. */
export async function robotTotals(rows: AsyncIterable<SegmentRow>): Promise<readonly RobotTotal[]> {
  const totals = new Map<string, RobotTotal>();
  for await (const row of rows) {
    if (!READABLE.has(row.state)) continue;
    const robot = row.robot ?? '';
    const {
      segments = 0,
      messages = 0,
      bytes = 0,
      firstLogTime = null,
      lastLogTime = null,
    } = totals.get(robot) ?? {};
    totals.set(robot, {
      ...{
        robot,
        segments: segments + 1,
        messages: messages + (row.messages ?? 0),
        bytes: bytes + row.bytes,
      },
      firstLogTime: choose(firstLogTime, row.firstLogTime, (a, b) => a < b),
      lastLogTime: choose(lastLogTime, row.lastLogTime, (a, b) => a > b),
    });
  }
  return [...totals.values()].sort((a, b) => (a.robot < b.robot ? -1 : 1));
}

function choose(
  known: string | null,
  other: string | undefined,
  isBetter: (a: bigint, b: bigint) => boolean,
): string | null {
  if (other === undefined) return known;
  return known === null || isBetter(BigInt(other), BigInt(known)) ? other : known;
}
