import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import { RouteReply } from '../../monitors/http/route.js';
import { said, text } from '../../monitors/http/schemas.js';

/** A time on the clock of a robot: from is included, to is not. */
export interface HistorySpan {
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

/** The parameters of a request about a time. */
export const spanQuery = {
  from: said(text, TIME_FORM),
  to: said(text, 'a later time, in the same forms'),
};

/** The time that was asked for, or the answer that says what is wrong with it. */
export function spanOf(query: Readonly<Record<string, unknown>>): HistorySpan | RouteReply {
  const [from, to] = [String(query['from']), String(query['to'])];
  const [fromNs, toNs] = [parseTime(from), parseTime(to)];
  if (fromNs !== undefined && toNs !== undefined && toNs > fromNs) return { fromNs, toNs };
  const message = `from and to are "${from}" and "${to}", allowed: ${TIME_FORM}; to is later`;
  return new RouteReply(400, { error: { code: 'REQUEST_INVALID', message } });
}
