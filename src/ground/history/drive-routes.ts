import { formatTime } from '../../core/clock.js';
import { RouteReply, type JsonSchema, type Route } from '../../monitors/http/route.js';
import { list, number, object, said, text } from '../../monitors/http/schemas.js';
import type { Queries } from '../database/database.js';
import { driveRoles } from './drive-fields.js';
import { LEAST_METRES, MAX_STEPS, readDrive } from './drive-reader.js';
import { spanOf, spanQuery } from './history-span.js';

const orNull = (schema: JsonSchema, about: string): JsonSchema =>
  said({ anyOf: [schema, { type: 'null' }] }, about);
const field = object({ topic: text, path: text, unit: text });

const drive = object({
  fields: said(
    object(Object.fromEntries(driveRoles.map((role) => [role, field])), driveRoles),
    'from which fields; by unit and path',
  ),
  distance: orNull(
    object({
      metres: number,
      withinMetres: said(number, 'the true distance is at most so far away from it'),
      by: said({ type: 'string', enum: ['odometer', 'speed'] }, 'a count, or the integral of the samples'),
      knownS: said(number, 'seconds of the time that are known'),
    }),
    'null: the history does not have it',
  ),
  speed: orNull(object({ maxMps: number, movingS: number }), 'null: it has none'),
  energy: orNull(
    object({
      netKwh: said(number, 'taken from the battery, less what came back'),
      ...{ regainedKwh: number, knownS: number },
    }),
    'the integral of the power; null: it has none',
  ),
  whPerKm: orNull(number, `net energy per distance; null: less than ${LEAST_METRES} m`),
  battery: orNull(object({ first: number, last: number, least: number }), 'percent'),
  stepS: said(number, 'length of a step, seconds'),
  steps: said(
    list(
      object({
        at: said(text, 'its beginning'),
        metres: orNull(number, 'driven since the beginning of the time, by the speed'),
        netKwh: orNull(number, 'in this step'),
      }),
    ),
    `at most about ${MAX_STEPS}; those of which nothing is known are left out`,
  ),
});

/** What vehicles did, over HTTP. */
export function driveRoutes(queries: Queries): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/api/robots/:robot/drive', role: 'viewer' },
      summary: 'Distance, speed, energy and battery of a vehicle in a time, from its history',
      query: { type: 'object', required: ['from', 'to'], properties: spanQuery },
      answer: object({ drive: orNull(drive, 'null: its fields are not those of a vehicle') }),
      handle: async ({ params, query }) => {
        const span = spanOf(query);
        if (span instanceof RouteReply) return span;
        const found = await readDrive(queries, { robot: params['robot'] ?? '', ...span });
        if (found === undefined) return { drive: null };
        const fields = Object.fromEntries(
          Object.entries(found.fields).map(([role, { topic, path, unit }]) => [role, { topic, path, unit }]),
        );
        const steps = found.steps.map(({ atNs, ...rest }) => ({ at: formatTime(atNs), ...rest }));
        return { drive: { ...found, fields, steps } };
      },
    },
  ];
}
