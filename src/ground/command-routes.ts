import { RouteReply, type JsonSchema, type Route, type RouteRequest } from '../monitors/http/route.js';
import { list, object, ref } from '../monitors/http/schemas.js';
import {
  commandNames,
  LABEL_MAX_CHARS,
  WINDOW_MAX_S,
  type CommandName,
} from '../uplink/protocol/robot-command.js';
import type { AuditLog, AuditState } from './audit-log.js';
import type { Commands } from './commands.js';

export interface CommandRouteParts {
  readonly commands: Commands;
  readonly audit: AuditLog;
  /** Whether a robot of this name has connected since the start. */
  readonly knows: (robot: string) => boolean;
}

const summaries: Readonly<Record<CommandName, string>> = {
  mark_event: 'Marks a window around now: sealed soon and uploaded first',
  split: 'Ends the open segment of the recorder and begins the next',
  sync_now: 'Makes sync look and send at once',
  pause: 'The recorder refuses messages until resumed, of all its robots; they are counted as gaps',
  resume: 'The recorder records again after a pause',
};

const statuses: Readonly<Record<AuditState, number>> = {
  ...{ asked: 500, done: 200, refused: 409, timed_out: 504, disconnected: 504, offline: 503 },
};
const codes: Readonly<Record<AuditState, string>> = {
  ...{ asked: 'INTERNAL', done: '', refused: 'STATE_REFUSED', timed_out: 'ROBOT_SILENT' },
  ...{ disconnected: 'ROBOT_DISCONNECTED', offline: 'ROBOT_OFFLINE' },
};

const seconds = (what: string): JsonSchema => ({
  ...{ type: 'number', minimum: 0, maximum: WINDOW_MAX_S, default: 30, description: `seconds ${what}` },
});

const markBody: JsonSchema = {
  type: 'object',
  properties: {
    label: { type: 'string', minLength: 1, maxLength: LABEL_MAX_CHARS, description: 'what happened' },
    before_s: seconds('before now'),
    after_s: seconds('after now'),
  },
  required: ['label'],
  additionalProperties: false,
};

interface MarkBody {
  readonly label: string;
  readonly before_s: number;
  readonly after_s: number;
}

const AUDIT_MAX = 1_000;
const AUDIT_DEFAULT = 200;

/** Commands to robots, and the log of them. */
export function commandRoutes(parts: CommandRouteParts): readonly Route[] {
  return [...commandNames.map((name) => commandRoute(name, parts)), auditRoute(parts)];
}

function commandRoute(name: CommandName, { commands, knows }: CommandRouteParts): Route {
  const give = async ({ params, body, who, address }: RouteRequest): Promise<RouteReply> => {
    const robot = params['robot'] ?? '';
    if (!knows(robot)) {
      const message = `robot ${robot} has not connected since the start of the ground`;
      return new RouteReply(404, { error: { code: 'NOT_FOUND', message } });
    }
    // The schema has checked them; only a marked event has any.
    const { label = '', before_s: beforeS = 0, after_s: afterS = 0 } = body as Partial<MarkBody>;
    const command = { name, label, beforeS, afterS };
    const entry = await commands.give(who, address, robot, command);
    const { state, message } = entry;
    if (state === 'done') return new RouteReply(200, { ok: true, entry });
    return new RouteReply(statuses[state], { error: { code: codes[state], message } });
  };
  return {
    ...{ method: 'POST', path: `/api/robots/:robot/control/${name}`, role: 'operator' },
    summary: summaries[name],
    ...(name === 'mark_event' ? { body: markBody } : {}),
    answer: object({ ok: { type: 'boolean' }, entry: ref('AuditEntry') }),
    also: {
      '404': 'it has not connected since the start of the ground',
      '504': 'the robot did not answer in time; it may have done it',
    },
    handle: give,
  };
}

function auditRoute({ audit }: CommandRouteParts): Route {
  return {
    ...{ method: 'GET', path: '/api/audit', role: 'operator' },
    summary: 'The commands that were given, the newest first',
    query: {
      type: 'object',
      properties: {
        limit: { type: 'integer', minimum: 1, maximum: AUDIT_MAX, description: 'at most so many' },
      },
    },
    answer: object({ entries: list(ref('AuditEntry')) }),
    handle: async ({ query }) => ({
      entries: await audit.list((query['limit'] as number | undefined) ?? AUDIT_DEFAULT),
    }),
  };
}
