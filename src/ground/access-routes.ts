import { HoldfastError } from '../core/errors.js';
import { RouteReply, type JsonSchema, type Route, type RouteRequest } from '../monitors/http/route.js';
import { flag, list, object, said, text } from '../monitors/http/schemas.js';
import type { AuditedAction } from './audit-log.js';
import type { Commands } from './commands.js';
import { roles, type PeopleRegistry } from './people-registry.js';
import type { RobotRegistry } from './robot-registry.js';

export interface AccessRouteParts {
  readonly people: Pick<PeopleRegistry, 'add' | 'revoke' | 'list'>;
  readonly registry: Pick<RobotRegistry, 'enrol' | 'revoke' | 'list' | 'boundVins'>;
  readonly commands: Pick<Commands, 'audited'>;
}

const role = 'admin';
const tokenAnswer = object({ token: said(text, 'it is shown once and not kept') });
const revokedAnswer = object({ revoked: flag });
const roleSchema: JsonSchema = { type: 'string', enum: roles };

/** Who may ask the ground, and which robots may connect: for admins, and in the audit log. */
export function accessRoutes(parts: AccessRouteParts): readonly Route[] {
  return [...peopleRoutes(parts), ...robotRoutes(parts)];
}

function peopleRoutes({ people, commands }: AccessRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/api/people', role },
      summary: 'The users of the ground, by name',
      answer: object({ people: list(object({ name: text, role: roleSchema, addedAt: text })) }),
      handle: async () => ({
        people: (await people.list()).map(({ user, role: its, addedAt }) => ({
          name: user,
          role: its,
          addedAt,
        })),
      }),
    },
    {
      ...{ method: 'POST', path: '/api/people/:name', role },
      summary: 'Adds a user, or gives one another role and a new token; an earlier token ends',
      body: {
        ...{ type: 'object', required: ['role'], additionalProperties: false },
        properties: { role: roleSchema },
      },
      answer: tokenAnswer,
      handle: (request) => {
        const [name, wanted] = [nameIn(request), String(request.body['role'])];
        const label = `${name} as ${wanted}`;
        return issue(commands, request, { robot: '', action: 'add_user', label }, () =>
          people.add(name, wanted),
        );
      },
    },
    {
      ...{ method: 'POST', path: '/api/people/:name/revoke', role },
      summary: 'Ends the token of a user, and closes the open pages within 5 s',
      answer: revokedAnswer,
      also: { '404': 'there is no such user' },
      handle: (request) => {
        const name = nameIn(request);
        return revoke(commands, request, { robot: '', action: 'revoke_user', label: name }, () =>
          people.revoke(name),
        );
      },
    },
  ];
}

function robotRoutes({ registry, commands }: AccessRouteParts): readonly Route[] {
  return [
    {
      ...{ method: 'GET', path: '/api/enrolled', role },
      summary: 'The robots that may connect, by name',
      answer: object({
        robots: list(text),
        vins: said({ type: 'object', additionalProperties: text }, 'bound VINs, by robot'),
      }),
      handle: async () => ({
        robots: await registry.list(),
        vins: (await registry.boundVins()).all(),
      }),
    },
    {
      ...{ method: 'POST', path: '/api/enrolled/:name', role },
      summary:
        'Lets a robot connect, with a new token; an earlier token ends. With a VIN only this robot may say it, and no other one',
      body: {
        ...{ type: 'object', additionalProperties: false },
        properties: { vin: said(text, 'absent: as before; empty: it is bound to none') },
      },
      answer: tokenAnswer,
      handle: (request) => {
        const robot = nameIn(request);
        // The schema lets nothing else in.
        const given = request.body['vin'] as string | undefined;
        const label = given === undefined ? '' : `VIN ${given === '' ? 'none' : given}`;
        return issue(commands, request, { robot, action: 'enrol', label }, () =>
          registry.enrol(robot, given),
        );
      },
    },
    {
      ...{ method: 'POST', path: '/api/enrolled/:name/revoke', role },
      summary: 'Ends the right of a robot to connect, and its connection within 5 s',
      answer: revokedAnswer,
      also: { '404': 'it is not enrolled' },
      handle: (request) => {
        const robot = nameIn(request);
        return revoke(commands, request, { robot, action: 'revoke', label: '' }, () =>
          registry.revoke(robot),
        );
      },
    },
  ];
}

interface What {
  readonly robot: string;
  readonly action: AuditedAction;
  readonly label: string;
}

function nameIn({ params }: RouteRequest): string {
  return params['name'] ?? '';
}

/** The answer with the new token. Throws what `make` throws; the log has that too. */
async function issue(
  commands: AccessRouteParts['commands'],
  { who, address }: RouteRequest,
  what: What,
  make: () => Promise<string>,
): Promise<unknown> {
  let token = '';
  const { state, message } = await commands.audited({ who, address, ...what }, async () => {
    try {
      token = await make();
      return { state: 'done', message: '' };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'REQUEST_INVALID') throw error;
      return { state: 'refused', message: error.message };
    }
  });
  if (state !== 'done') throw new HoldfastError('REQUEST_INVALID', message);
  return { token };
}

async function revoke(
  commands: AccessRouteParts['commands'],
  { who, address, params }: RouteRequest,
  what: What,
  end: () => Promise<boolean>,
): Promise<unknown> {
  const { state, message } = await commands.audited({ who, address, ...what }, async () =>
    (await end())
      ? { state: 'done', message: '' }
      : { state: 'refused', message: `"${params['name'] ?? ''}" has no token` },
  );
  if (state === 'done') return { revoked: true };
  return new RouteReply(404, { error: { code: 'NOT_FOUND', message } });
}
