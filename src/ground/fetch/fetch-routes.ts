import { formatTime, type Clock } from '../../core/clock.js';
import { HoldfastError } from '../../core/errors.js';
import { isRequestId, REQUEST_MAX_DAYS, type FetchRequest } from '../../core/fetch-request.js';
import type { RandomBytes } from '../../core/identity.js';
import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import { RouteReply, type JsonSchema, type Route, type RouteRequest } from '../../monitors/http/route.js';
import { flag, list, number, object, said, text, whole } from '../../monitors/http/schemas.js';
import { prepareRequest } from '../../recordings/fetch.js';
import { fetchedStates, fetchLimits, fetchStates } from '../../uplink/protocol/fetch-update.js';
import type { FetchBook } from './fetch-book.js';
import type { FetchService } from './fetch-service.js';
import { viewOf, type FetchWay } from './fetch-view.js';

/** What somebody does to a robot, for the audit log. */
export interface AuditedFetch {
  readonly robot: string;
  readonly action: 'fetch' | 'withdraw_fetch';
  readonly label: string;
}

export interface FetchRouteParts {
  readonly book: FetchBook;
  readonly service: FetchService;
  readonly hasStores: boolean;
  /** The name of a robot by its name or VIN. */
  readonly nameOf: (robot: string) => Promise<string>;
  /** Whether the robot may connect. */
  readonly isEnrolled: (robot: string) => Promise<boolean>;
  /** Does it with an entry in the audit log. Rejects if the log cannot be written; then nothing is done. */
  readonly audited: (
    request: Pick<RouteRequest, 'who' | 'address'>,
    what: AuditedFetch,
    work: () => Promise<{ readonly state: 'done' | 'refused'; readonly message: string }>,
  ) => Promise<{ readonly state: string; readonly message: string }>;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

const DEFAULT_DAYS = 7;
const LIST_MAX = 1_000;
const DEFAULT_LIST = 100;

const timeNs: JsonSchema = said({ ...text, pattern: '^[0-9]+$' }, 'decimal nanoseconds since the Unix epoch');
const timeMs: JsonSchema = said(number, 'milliseconds since the Unix epoch, on the clock of the ground');
const amount = object({ segments: whole, bytes: whole });

const view = object({
  ...{ id: text, robot: text, from: timeNs, to: timeNs, topics: list(text), by: text },
  via: { type: 'string', enum: ['uplink', 'store'] },
  state: { type: 'string', enum: [...fetchStates, 'withdrawn'] },
  reason: said(text, 'why it is in this state; may be empty'),
  ...{ createdAtMs: timeMs, expiresAtMs: timeMs, updatedAtMs: timeMs },
  endedAtMs: { anyOf: [timeMs, { type: 'null' }] },
  isSeen: said(flag, 'the robot has the request'),
  matched: said(amount, 'what the robot has of that time'),
  stored: said(amount, 'how much of that is in the store'),
  sentBytes: said(whole, 'with those of the segment under way'),
  isRecording: said(flag, 'a part of the time is not sealed yet'),
  segments: said(
    list(
      object({
        ...{ name: text, key: text, bytes: whole, state: { type: 'string', enum: fetchedStates } },
        reason: text,
      }),
    ),
    `the newest ${fetchLimits.segments}`,
  ),
  gone: said(
    list(object({ name: text, messages: whole, bytes: whole, at: timeNs, reason: text })),
    `evicted before their upload, at most ${fetchLimits.gone}`,
  ),
  goneSegments: said(whole, 'the number of all that are gone'),
});

const topic: JsonSchema = { type: 'string', minLength: 1, maxLength: 250 };
const body: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['robot', 'from', 'to'],
  properties: {
    robot: { type: 'string', minLength: 1, maxLength: 250, description: 'its name or VIN' },
    from: { type: 'string', maxLength: 40, description: `log time: ${TIME_FORM}` },
    to: { type: 'string', maxLength: 40, description: 'log time, inclusive' },
    topics: {
      ...{ type: 'array', items: topic, minItems: 1, maxItems: fetchLimits.topics },
      description: 'only segments with one of these; * stands for any text',
    },
    days: {
      ...{ type: 'number', minimum: 0.05, maximum: REQUEST_MAX_DAYS, default: DEFAULT_DAYS },
      description: 'the robot gives up after so many days',
    },
    via: {
      ...{ type: 'string', enum: ['uplink', 'store'] },
      description: 'default: the uplink of a robot that is enrolled, otherwise the stores of the ground',
    },
  },
};

interface Body {
  readonly robot: string;
  readonly from: string;
  readonly to: string;
  readonly topics?: readonly string[];
  readonly days: number;
  readonly via?: FetchWay;
}

const query: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    robot: { type: 'string', maxLength: 250, description: 'its name or VIN' },
    open: { type: 'boolean', default: false, description: 'only those that have not ended' },
    limit: { type: 'integer', minimum: 1, maximum: LIST_MAX, default: DEFAULT_LIST },
  },
};

/** Requests for segments over HTTP. */
export function fetchRoutes(parts: FetchRouteParts): readonly Route[] {
  const { book, nameOf } = parts;
  return [
    {
      ...{ method: 'GET', path: '/api/requests', role: 'viewer', query },
      summary: 'Requests for segments of robots, the newest first (docs/fetch.md)',
      answer: object({ requests: list(view) }),
      handle: async ({ query: { robot, open, limit } }) => {
        const of = robot === undefined ? {} : { robot: await nameOf(robot as string) };
        const found = await book.list({ ...of, isOpen: open as boolean, limit: limit as number });
        return { requests: found.map(viewOf) };
      },
    },
    {
      ...{ method: 'GET', path: '/api/requests/:request', role: 'viewer' },
      summary: 'One request, with what the robot says about it',
      answer: view,
      also: { '404': 'there is no such request' },
      handle: async ({ params }) => {
        const found = await find(parts, params);
        return found === undefined ? unknown() : viewOf(found);
      },
    },
    {
      ...{ method: 'POST', path: '/api/requests', role: 'operator', body },
      summary: 'Requests what a robot has recorded in a time',
      answer: view,
      also: { '409': 'the robot cannot be asked; the message says why' },
      handle: (request) => add(parts, request),
    },
    {
      ...{ method: 'POST', path: '/api/requests/:request/withdraw', role: 'operator' },
      summary: 'Withdraws a request: the robot forgets it. What was sent stays',
      answer: view,
      also: { '404': 'there is no such request', '409': 'it has ended' },
      handle: (request) => withdraw(parts, request),
    },
  ];
}

async function add(parts: FetchRouteParts, request: RouteRequest): Promise<unknown> {
  const { book, service, clock, random } = parts;
  const wanted = request.body as unknown as Body;
  const robot = await parts.nameOf(wanted.robot);
  const via = await wayTo(parts, robot, wanted.via);
  const times = { from: timeOf('from', wanted.from), to: timeOf('to', wanted.to) };
  const { topics, days } = wanted;
  const facts = { now: clock.now(), random };
  const made = prepareRequest(
    { robot, ...times, days, ...(topics && { topics }), by: request.who.name },
    facts,
  );
  const { state, message } = await parts.audited(
    request,
    { robot, action: 'fetch', label: labelOf(made) },
    async () =>
      (await book.add(made, via))
        ? { state: 'done', message: `request ${made.id}` }
        : { state: 'refused', message: `${robot} has ${fetchLimits.requests} open requests` },
  );
  if (state !== 'done') throw new HoldfastError('STATE_REFUSED', message);
  service.wake(via);
  const kept = await book.find(made.id);
  return kept === undefined ? unknown() : viewOf(kept);
}

async function withdraw(parts: FetchRouteParts, request: RouteRequest): Promise<unknown> {
  const { book, service, clock } = parts;
  const found = await find(parts, request.params);
  if (found === undefined) return unknown();
  const { id, robot } = found.request;
  const { state, message } = await parts.audited(
    request,
    { robot, action: 'withdraw_fetch', label: labelOf(found.request) },
    async () =>
      (await book.set(id, 'withdrawn', `withdrawn by ${request.who.name}`, clock.now()))
        ? { state: 'done', message: `request ${id}` }
        : { state: 'refused', message: 'the request has ended' },
  );
  if (state !== 'done') throw new HoldfastError('STATE_REFUSED', message);
  await service.withdraw(found);
  const kept = await book.find(id);
  return kept === undefined ? unknown() : viewOf(kept);
}

/** Throws `STATE_REFUSED` if there is no way to the robot. */
async function wayTo(
  { isEnrolled, hasStores }: FetchRouteParts,
  robot: string,
  wanted: FetchWay | undefined,
): Promise<FetchWay> {
  const enrolled = await isEnrolled(robot);
  if (wanted !== 'store' && enrolled) return 'uplink';
  if (wanted !== 'uplink' && hasStores) return 'store';
  const why =
    wanted === 'store'
      ? 'the ground has no store; start it with --store'
      : `robot ${robot} is not enrolled${wanted === 'uplink' ? '' : ', and the ground has no --store'}`;
  throw new HoldfastError('STATE_REFUSED', why, { facts: { robot } });
}

/** Throws `REQUEST_INVALID`. */
function timeOf(name: string, said: string): bigint {
  const parsed = parseTime(said);
  if (parsed !== undefined && parsed >= 0n) return parsed;
  throw new HoldfastError('REQUEST_INVALID', `${name} is ${JSON.stringify(said)}, allowed: ${TIME_FORM}`);
}

function labelOf({ from, to, topics }: FetchRequest): string {
  const time = `${formatTime(BigInt(from))} to ${formatTime(BigInt(to))}`;
  return topics === undefined ? time : `${time}, topics ${topics.join(', ')}`.slice(0, 1_000);
}

function find({ book }: FetchRouteParts, params: RouteRequest['params']): ReturnType<FetchBook['find']> {
  const id = params['request'] ?? '';
  return isRequestId(id) ? book.find(id) : Promise.resolve(undefined);
}

function unknown(): RouteReply {
  return new RouteReply(404, { error: { code: 'NOT_FOUND', message: 'there is no such request' } });
}
