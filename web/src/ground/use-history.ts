import { useEffect, useState } from 'preact/hooks';
import { ask } from './ask.js';
import { fieldKey } from './field-history.js';
import { curveOf, type FieldCurve } from './history-curve.js';
import { refreshMsOf, spanOfRange, type HistoryRange } from './history-range.js';
import type { FieldPast, FieldView } from './wire.js';

/** A chart has fewer pixels. */
const POINTS = 400;
const AT_ONCE = 4;
const NOT_FOUND = 404;

export interface FieldsPast {
  readonly curves: ReadonlyMap<string, FieldCurve>;
  /** The ground keeps no history. */
  readonly isAbsent: boolean;
  /** Why there is no newer answer; undefined: there is. */
  readonly why: string | undefined;
}

type Named = Pick<FieldView, 'topic' | 'path'>;

/** The parameters of a question about a time. */
export function timesOf(range: HistoryRange, nowMs: number): Readonly<Record<'from' | 'to', string>> {
  const { fromMs, toMs } = spanOfRange(range, nowMs);
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

/** Asks for the history of fields, and again while it grows and the page is seen. `now`: on the robot's clock. */
export function useHistory(
  robot: string,
  fields: readonly Named[],
  range: HistoryRange,
  now: () => number,
): FieldsPast {
  const [past, setPast] = useState<FieldsPast>({ curves: new Map(), isAbsent: false, why: undefined });
  const wanted = fields.map(fieldKey).join('\n');
  const rangeKey = JSON.stringify(range);
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      const found = document.hidden ? undefined : await askAll(robot, fields, timesOf(range, now()));
      if (isOver) return;
      // Without an answer, what is known stays.
      if (found !== undefined)
        setPast((before) =>
          found.why === undefined || found.isAbsent ? found : { ...before, why: found.why },
        );
      const everyMs = refreshMsOf(range);
      if (everyMs !== undefined && found?.isAbsent !== true) timer = setTimeout(() => void look(), everyMs);
    };
    setPast((before) => ({ ...before, curves: new Map() }));
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [robot, wanted, rangeKey]);
  return past;
}

/** Some at a time: the browser has few connections, and the page needs one for its news. */
async function askAll(
  robot: string,
  fields: readonly Named[],
  times: Readonly<Record<string, string>>,
): Promise<FieldsPast> {
  const left = [...fields];
  const curves = new Map<string, FieldCurve>();
  const bad: { readonly why: string; readonly status?: number }[] = [];
  const work = async (): Promise<void> => {
    for (let field = left.shift(); field !== undefined && bad.length === 0; field = left.shift()) {
      const { topic, path } = field;
      const query = new URLSearchParams({ topic, path, ...times, points: String(POINTS) });
      const answer = await ask<FieldPast>(
        `api/robots/${encodeURIComponent(robot)}/history?${query.toString()}`,
      );
      if ('value' in answer) curves.set(fieldKey(field), curveOf(answer.value));
      else bad.push(answer);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { curves, isAbsent: bad[0]?.status === NOT_FOUND, why: bad[0]?.why };
}
