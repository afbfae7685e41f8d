import type { Clock } from '../core/clock.js';
import { defined } from '../core/defined.js';
import { describeError } from '../core/errors.js';
import { RouteReply, type Route } from '../monitors/http/route.js';
import { flag, object, said, text, whole } from '../monitors/http/schemas.js';
import type { Commands } from './commands.js';
import type { Database } from './database/database.js';
import type { DeletedTimes } from './deleted-times.js';
import { countRecords, deleteRecords, whyNoRobot, type DeletedRecords } from './delete-records.js';
import type { HistoryDeletion } from './history/delete-history.js';

/** What the routes need. */
export interface DeletionRouteParts {
  readonly database: Database;
  readonly commands: Pick<Commands, 'audited'>;
  readonly clock: Clock;
  readonly deletedTimes: Pick<DeletedTimes, 'refresh'>;
}

const time = { type: 'string', pattern: '^[0-9]{1,20}$' } as const;
const NANOSECONDS = 'inclusive, nanoseconds since the Unix epoch on the clock of the robot, in decimal';

/** Deletes what the ground keeps of a time of a robot: for admins, and in the audit log. */
export function deletionRoutes(parts: DeletionRouteParts): readonly Route[] {
  const { database, commands, clock } = parts;
  const refresh = (): Promise<void> => parts.deletedTimes.refresh();
  return [
    {
      ...{ method: 'POST', path: '/api/robots/:robot/delete', role: 'admin' },
      summary: 'Deletes history, marked events and tags of a time, for good',
      body: {
        ...{ type: 'object', required: ['from', 'to', 'plan', 'reason'], additionalProperties: false },
        properties: {
          from: said(time, NANOSECONDS),
          to: said(time, NANOSECONDS),
          topics: {
            ...{ type: 'array', items: text, minItems: 1, maxItems: 1_000 },
            description: 'only the history of these topics; * stands for any text',
          },
          plan: {
            type: 'string',
            pattern: '^[0-9a-f]{16}$',
            description: 'of the deletion, for the audit log',
          },
          reason: { type: 'string', maxLength: 1_000, description: 'for the audit log' },
          dryRun: said(flag, 'only count'),
        },
      },
      answer: object({
        samples: said(whole, 'values of the history'),
        events: said(whole, 'marked events'),
        recordings: said(whole, 'recordings on the robot only, or with tags'),
      }),
      also: { '409': 'the name is the VIN of robots: it must be the name of one' },
      handle: async ({ params, body, who, address }) => {
        const robot = params['robot'] ?? '';
        const topics = body['topics'] as readonly string[] | undefined;
        const [plan, reason] = [String(body['plan']), String(body['reason'])];
        const deletion: HistoryDeletion = {
          ...{ robot, from: BigInt(String(body['from'])), to: BigInt(String(body['to'])), plan, reason },
          ...{ who: who.name, ...defined({ topics }) },
        };
        const why = await whyNoRobot(database, robot);
        if (why !== undefined)
          return new RouteReply(409, { error: { code: 'REQUEST_INVALID', message: why } });
        if (body['dryRun'] === true) return countRecords(database, deletion);
        const label = `${String(body['from'])} to ${String(body['to'])}, plan ${plan}: ${reason}`;
        const done: { records?: DeletedRecords } = {};
        const { message } = await commands.audited(
          { who, address, robot, action: 'delete', label },
          async () => {
            try {
              const records = await deleteRecords(database, deletion, clock.now(), refresh);
              done.records = records;
              return { state: 'done', message: describe(records) };
            } catch (error) {
              return { state: 'refused', message: describeError(error) };
            }
          },
        );
        return done.records ?? new RouteReply(503, { error: { code: 'GROUND_DATABASE_FAILED', message } });
      },
    },
  ];
}

function describe({ samples, events, recordings }: DeletedRecords): string {
  return `${samples} samples, ${events} events, ${recordings} recordings`;
}
