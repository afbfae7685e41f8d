import { defined } from '../core/defined.js';
import { formatTime } from '../core/clock.js';
import { toJson } from './json-value.js';
import { mergeMessages, type MergedMessage } from './merged-messages.js';
import { MessageDecoder, type Decoded } from './message-decoder.js';
import type { MessageFilter } from './message-filter.js';
import type { Problem, Segment } from './segments.js';

export interface CatOptions {
  readonly filter: MessageFilter;
  /** Stop after this many messages; default: all. */
  readonly limit?: number;
  /** Writes one line (without its end); awaited, so that a slow reader slows the reading. */
  readonly write: (line: string) => void | Promise<void>;
  readonly onProblem?: (problem: Problem) => void;
  readonly signal?: AbortSignal;
}

/** Messages of a topic that were given undecoded, with the first reason. */
export interface Undecoded {
  readonly topic: string;
  readonly messages: number;
  readonly reason: string;
}

/** Messages of a topic with bytes left over that are not padding: they were written with another definition. */
export interface LeftOver {
  readonly topic: string;
  readonly messages: number;
  /** After the first of them. */
  readonly bytes: number;
}

export interface CatReport {
  readonly messages: number;
  readonly decoded: number;
  readonly leftOver: readonly LeftOver[];
  readonly undecoded: readonly Undecoded[];
  readonly problems: readonly Problem[];
}

/** Number of problems kept for the report; `onProblem` receives all of them. */
const MAX_PROBLEMS = 1000;
/** Larger payloads are left out: their base64 would exceed the longest string. */
const BASE64_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Writes the wanted messages as JSON lines in log-time order; docs/reading.md describes a line. A message
 * that cannot be decoded is written as base64 with the reason. A part that cannot be read is reported, and
 * the rest continues.
 */
export async function catMessages(segments: readonly Segment[], options: CatOptions): Promise<CatReport> {
  const decoder = new MessageDecoder();
  const undecoded = new Map<string, { topic: string; messages: number; reason: string }>();
  const leftOver = new Map<string, { topic: string; messages: number; bytes: number }>();
  const problems: Problem[] = [];
  let messages = 0;
  let decodedCount = 0;
  const { limit = Infinity } = options;
  const merged = mergeMessages(segments, {
    filter: options.filter,
    onProblem: (problem) => {
      if (problems.length < MAX_PROBLEMS) problems.push(problem);
      options.onProblem?.(problem);
    },
    ...defined({ signal: options.signal }),
  });
  if (limit > 0) {
    for await (const one of merged) {
      const { channel, data } = one.message;
      const decoded = decoder.decode(channel, data);
      if (decoded.ok) {
        decodedCount++;
        if (decoded.leftOver !== undefined) {
          const { topic } = channel;
          const known = leftOver.get(topic);
          if (known !== undefined) known.messages++;
          else leftOver.set(topic, { topic, messages: 1, bytes: decoded.leftOver });
        }
      } else {
        const known = undecoded.get(channel.topic);
        if (known !== undefined) known.messages++;
        else undecoded.set(channel.topic, { topic: channel.topic, messages: 1, reason: decoded.reason });
      }
      await options.write(lineOf(one, decoded));
      if (++messages >= limit) break;
    }
  }
  return {
    messages,
    decoded: decodedCount,
    leftOver: [...leftOver.values()],
    undecoded: [...undecoded.values()],
    problems,
  };
}

function lineOf({ message, robot }: MergedMessage, decoded: Decoded): string {
  const { channel, logTime, publishTime, sequence, data } = message;
  const head = {
    time: formatTime(logTime),
    logTime,
    publishTime,
    ...defined({ robot }),
    topic: channel.topic,
    type: channel.schema.name,
    encoding: channel.encoding,
    ...(sequence === 0 ? {} : { sequence }),
    ...(channel.carried ? { carried: true } : {}),
  };
  if (decoded.ok) {
    const { json, leftOver, value } = decoded;
    // The writer's own text: as a value, its numbers would be rounded.
    if (json !== undefined) return `${toJson(head).slice(0, -1)},"data":${json}}`;
    return toJson(leftOver === undefined ? { ...head, data: value } : { ...head, leftOver, data: value });
  }
  const { reason } = decoded;
  if (data.byteLength > BASE64_MAX_BYTES) return toJson({ ...head, bytes: data.byteLength, reason });
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  return toJson({ ...head, base64, reason });
}
