import { documentKind } from '../core/documents/document.js';
import { defined } from '../core/defined.js';
import { HoldfastError } from '../core/errors.js';
import { isTag, TAG_FORM, TAGS_MAX, type TagChanges, type Tags } from '../core/tags.js';
import { RouteReply, type JsonSchema, type Route, type RouteRequest } from '../monitors/http/route.js';
import { list, object, ref } from '../monitors/http/schemas.js';
import { tagsBody } from '../monitors/http/tags-body.js';
import {
  actionNames,
  LABEL_MAX_CHARS,
  PARAMETER_NAME_MAX_BYTES,
  PARAMETER_VALUE_MAX_BYTES,
  WINDOW_MAX_S,
  type ActionName,
} from '../uplink/protocol/robot-command.js';
import type { AuditLog, AuditState } from './audit-log.js';
import type { Commands, CommandSender } from './commands.js';
import { parameterLists } from './robot-parameters.js';
import { UNKNOWN_ROBOT, unknownRobot } from './unknown-robot.js';

export interface CommandRouteParts {
  readonly commands: Commands;
  readonly audit: AuditLog;
  /** For what is only looked at, which the audit log does not note. */
  readonly ask: CommandSender;
  /** The name of a robot by its name or VIN; undefined: it has never connected. */
  readonly nameOf: (robot: string) => string | undefined;
}

const summaries: Readonly<Record<ActionName, string>> = {
  mark_event: 'Marks a window around now: sealed soon and uploaded first',
  split: 'Ends the open segment of the recorder and begins the next',
  sync_now: 'Makes sync look and send at once',
  pause: 'The recorder refuses messages until resumed, of all its robots; they are counted as gaps',
  resume: 'The recorder records again after a pause',
  set_parameter: 'Sets a parameter of the recorder while it runs, until the recorder starts again',
  set_tags:
    'Sets tags of the segments that the recorder begins from now on, of all its robots; an empty value removes one',
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

const parameterBody: JsonSchema = {
  type: 'object',
  properties: {
    parameter: { type: 'string', minLength: 1, maxLength: PARAMETER_NAME_MAX_BYTES },
    value: {
      description: 'in the spelling of a configuration file, such as "64MiB"',
      anyOf: [
        { type: 'string' },
        { type: 'number' },
        { type: 'boolean' },
        { type: 'array', items: { type: 'string' } },
      ],
    },
  },
  required: ['parameter', 'value'],
  additionalProperties: false,
};

const bodies: Readonly<Partial<Record<ActionName, JsonSchema>>> = {
  mark_event: markBody,
  set_parameter: parameterBody,
  set_tags: tagsBody,
};

/** What the answer has beside the entry. */
const answers: Readonly<Partial<Record<ActionName, Readonly<Record<string, JsonSchema>>>>> = {
  set_tags: {
    tags: { type: 'object', additionalProperties: { type: 'string' }, description: 'all that hold now' },
  },
};

/** Of all commands; the schema of each has checked it. */
interface CommandBody {
  readonly label: string;
  readonly before_s: number;
  readonly after_s: number;
  readonly parameter: string;
  readonly value: unknown;
  readonly tags: TagChanges;
}

const AUDIT_MAX = 1_000;
const AUDIT_DEFAULT = 200;

/** Commands to robots, and the log of them. */
export function commandRoutes(parts: CommandRouteParts): readonly Route[] {
  const commands = actionNames.map((name) => commandRoute(name, parts));
  return [...commands, parametersRoute(parts), auditRoute(parts)];
}

const alsoAnswers = {
  '404': UNKNOWN_ROBOT,
  '504': 'the robot did not answer in time; it may have done it',
};

function commandRoute(name: ActionName, { commands, nameOf }: CommandRouteParts): Route {
  const give = async ({ params, body, who, address }: RouteRequest): Promise<RouteReply> => {
    const robot = nameOf(params['robot'] ?? '');
    if (robot === undefined) return unknownRobot(params['robot'] ?? '');
    const given = body as Partial<CommandBody>;
    const { label = '', before_s: beforeS = 0, after_s: afterS = 0, parameter, tags } = given;
    if (tags !== undefined) checkTags(tags);
    const set = parameter === undefined ? {} : { parameter, value: valueText(parameter, given.value) };
    const { entry, result } = await commands.give(who, address, robot, {
      ...{ name, label, beforeS, afterS, ...set },
      ...defined({ tags }),
    });
    if (entry.state !== 'done') return notDone(entry);
    return new RouteReply(200, { ok: true, entry, ...(name === 'set_tags' ? tagsIn(result) : {}) });
  };
  const body = bodies[name];
  return {
    ...{ method: 'POST', path: `/api/robots/:robot/control/${name}`, role: 'operator' },
    summary: summaries[name],
    ...(body === undefined ? {} : { body }),
    answer: object({ ok: { type: 'boolean' }, entry: ref('AuditEntry'), ...answers[name] }),
    also: alsoAnswers,
    handle: give,
  };
}

/** Asks the robot, whose version knows its parameters. */
function parametersRoute({ ask, nameOf }: CommandRouteParts): Route {
  return {
    ...{ method: 'GET', path: '/api/robots/:robot/parameters', role: 'operator' },
    summary: 'The parameters of its recorder that set_parameter takes, with their values',
    answer: object({ parameters: list(ref('LiveParameter')) }),
    also: { ...alsoAnswers, '502': 'the robot answers with something else' },
    handle: async ({ params }) => {
      const robot = nameOf(params['robot'] ?? '');
      if (robot === undefined) return unknownRobot(params['robot'] ?? '');
      const outcome = await ask(robot, { name: 'get_parameters', label: '', beforeS: 0, afterS: 0 });
      if (outcome.state !== 'done') return notDone(outcome);
      const parameters = parameterLists.parseIfValid(outcome.result);
      if (parameters !== undefined) return { parameters };
      const message = `robot ${robot} answers with something else than its parameters`;
      return new RouteReply(502, { error: { code: 'REQUEST_INVALID', message } });
    },
  };
}

function notDone({ state, message }: { readonly state: AuditState; readonly message: string }): RouteReply {
  return new RouteReply(statuses[state], { error: { code: codes[state], message } });
}

/** Throws `REQUEST_INVALID`. */
function valueText(parameter: string, value: unknown): string {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes <= PARAMETER_VALUE_MAX_BYTES) return text;
  throw new HoldfastError(
    'REQUEST_INVALID',
    `the value of ${parameter} has ${bytes} bytes, allowed: ${PARAMETER_VALUE_MAX_BYTES}`,
  );
}

/** All tags, as the robot answers with them. */
const tagLists = documentKind<Tags>('tags of a robot', {
  type: 'object',
  maxProperties: TAGS_MAX,
  additionalProperties: { type: 'string' },
});

function tagsIn(result: string | undefined): { readonly tags: Tags } {
  return { tags: tagLists.parseIfValid(result ?? '') ?? {} };
}

/** Throws `REQUEST_INVALID`. A robot cannot answer what it cannot read. */
function checkTags(tags: TagChanges): void {
  for (const [name, value] of Object.entries(tags))
    if (!isTag(name, value))
      throw new HoldfastError(
        'REQUEST_INVALID',
        `the tag ${name}=${JSON.stringify(value)} is not allowed, allowed: ${TAG_FORM}`,
      );
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
