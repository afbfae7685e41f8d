import { formatTime } from '../../core/clock.js';
import { RouteReply, type Route } from '../../monitors/http/route.js';
import { flag, list, number, object, said, text, whole } from '../../monitors/http/schemas.js';
import type { Queries } from '../database/database.js';
import { spanOf, spanQuery } from './history-span.js';
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
  stepMs: said(number, 'time that a point stands for; 0: it is a sample'),
  truncated: said(flag, `there are more than ${MAX_POINTS} points`),
  series: said(
    list(
      object({
        ...{ unit: text, threshold: said(number, 'each value is within this of the measured one') },
        turn: said(number, 'one turn of a circular field; 0: it is not circular'),
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
          ...spanQuery,
          resolution: said({ type: 'string', enum: resolutions }, 'default: the finest one that fits'),
          points: {
            ...{ type: 'integer', minimum: 1, maximum: MAX_POINTS },
            description: 'without resolution: roll-ups are put together until about so many are left',
          },
        },
      },
      answer,
      handle: async ({ params, query }) => {
        const span = spanOf(query);
        if (span instanceof RouteReply) return span;
        const found = await readHistory(queries, {
          ...{ robot: params['robot'] ?? '', topic: String(query['topic']), ...span },
          ...{ path: String(query['path']), resolution: query['resolution'] as Resolution | undefined },
          ...(query['points'] === undefined ? {} : { points: query['points'] as number }),
        });
        const { resolution, stepNs, truncated } = found;
        const series = found.series.map(({ periodNs, points, ...rest }) => ({
          ...rest,
          ...{ periodMs: periodNs / 1e6, points: points.map(shown) },
        }));
        return { resolution, stepMs: stepNs / 1e6, truncated, series };
      },
    },
  ];
}

function shown({ atNs, ...rest }: HistoryPoint): object {
  return { at: formatTime(atNs), ...rest };
}
