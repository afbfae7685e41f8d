import { formatTime } from '../../core/clock.js';
import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import { RouteReply, type Route } from '../../monitors/http/route.js';
import { flag, list, number, object, said, text, whole } from '../../monitors/http/schemas.js';
import type { Queries } from '../database/database.js';
import {
  MAX_POINTS,
  readHistory,
  resolutions,
  type HistoryPoint,
  type Resolution,
} from './history-reader.js';

const point = object(
  {
    at: said(text, 'ISO 8601, on the clock of the robot'),
    value: said(
      { anyOf: [number, { type: 'null' }] },
      'the sample, or the last one; null: the robot had no value',
    ),
    ...{ min: number, max: number, mean: number, count: whole },
  },
  ['min', 'max', 'mean', 'count'],
);

const answer = object({
  resolution: { type: 'string', enum: resolutions },
  truncated: said(flag, `there are more than ${MAX_POINTS} points`),
  series: said(
    list(
      object({
        ...{ unit: text, threshold: said(number, 'each value is within this of the measured one') },
        periodMs: said(number, 'between two samples; where they are further apart, nothing is known'),
        points: list(point),
      }),
    ),
    'one for each threshold that was in use',
  ),
});

/** The history of fields over HTTP. */
export function historyRoutes(queries: Queries): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/api/robots/:robot/history', role: 'viewer' },
      summary: 'The history of one field',
      query: {
        type: 'object',
        required: ['topic', 'path', 'from', 'to'],
        properties: {
          ...{ topic: text, path: said(text, 'in the message, such as twist.twist.linear.x') },
          ...{ from: said(text, TIME_FORM), to: said(text, 'a later time, in the same forms') },
          resolution: said({ type: 'string', enum: resolutions }, 'default: the finest one that fits'),
        },
      },
      answer,
      handle: async ({ params, query }) => {
        const [fromNs, toNs] = [parseTime(String(query['from'])), parseTime(String(query['to']))];
        if (fromNs === undefined || toNs === undefined || toNs <= fromNs) {
          const message = `from and to are "${String(query['from'])}" and "${String(query['to'])}", allowed: ${TIME_FORM}; to is later`;
          return new RouteReply(400, { error: { code: 'REQUEST_INVALID', message } });
        }
        const found = await readHistory(queries, {
          ...{ robot: params['robot'] ?? '', topic: String(query['topic']), path: String(query['path']) },
          ...{ fromNs, toNs, resolution: query['resolution'] as Resolution | undefined },
        });
        const series = found.series.map(({ periodNs, points, ...rest }) => ({
          ...rest,
          ...{ periodMs: periodNs / 1e6, points: points.map(shown) },
        }));
        return { ...found, series };
      },
    },
  ];
}

function shown({ atNs, ...rest }: HistoryPoint): object {
  return { at: formatTime(atNs), ...rest };
}
