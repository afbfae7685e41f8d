import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import type { MessageFilter } from '../../recordings/message-filter.js';

/** The messages that one merged file holds. */
export interface MergeWindow {
  readonly filter: MessageFilter;
  /** Equal for equal windows. */
  readonly key: string;
}

/** Names in one window, for each of robots, topics and types. */
const NAMES_MAX = 100;

/** Schema of a window in the query of a request. */
export const windowQuery = {
  robot: names('only these robots, by name or VIN; * stands for any text'),
  topic: names('only these topics; * stands for any text'),
  type: names('only these types'),
  from: { type: 'string', maxLength: 100, description: 'log time of the first message: ISO 8601 or ns' },
  to: { type: 'string', maxLength: 100, description: 'log time of the last message' },
} as const;

/** The window of a request. Throws `REQUEST_INVALID`, which names the member. */
export function parseWindow(query: Readonly<Record<string, unknown>>): MergeWindow {
  const [from, to] = [timeOf(query, 'from'), timeOf(query, 'to')];
  if (from !== undefined && to !== undefined && to < from) {
    throw invalid('to', query['to'], `a time at or after from, which is ${String(query['from'])}`);
  }
  const chosen = {
    robots: listOf(query['robot']),
    topics: listOf(query['topic']),
    types: listOf(query['type']),
  };
  const filter = defined({ ...chosen, from, to });
  return { filter, key: JSON.stringify({ ...chosen, from: from?.toString(), to: to?.toString() }) };
}

/** The query of a window, such as `?robot=r1&from=…`. */
export function windowPath({ filter }: MergeWindow): string {
  const query = new URLSearchParams();
  for (const name of filter.robots ?? []) query.append('robot', name);
  for (const name of filter.topics ?? []) query.append('topic', name);
  for (const name of filter.types ?? []) query.append('type', name);
  if (filter.from !== undefined) query.append('from', nanoseconds(filter.from));
  if (filter.to !== undefined) query.append('to', nanoseconds(filter.to));
  return query.size === 0 ? '' : `?${query.toString()}`;
}

/** Fewer digits would be seconds. */
function nanoseconds(time: bigint): string {
  return String(time).padStart(16, '0');
}

function names(description: string): object {
  const name = { type: 'string', minLength: 1, maxLength: 500 };
  return { anyOf: [name, { type: 'array', items: name, maxItems: NAMES_MAX }], description };
}

/** Sorted, each once, so that their order makes no other file. */
function listOf(given: unknown): readonly string[] | undefined {
  if (given === undefined) return undefined;
  return [...new Set([given].flat().filter((one) => typeof one === 'string'))].sort();
}

function timeOf(query: Readonly<Record<string, unknown>>, name: 'from' | 'to'): bigint | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  const time = typeof text === 'string' ? parseTime(text) : undefined;
  if (time === undefined) throw invalid(name, text, TIME_FORM);
  return time;
}

function invalid(name: string, value: unknown, allowed: string): HoldfastError {
  return new HoldfastError('REQUEST_INVALID', `${name} is "${String(value)}", allowed: ${allowed}`, {
    facts: { [name]: String(value) },
  });
}
