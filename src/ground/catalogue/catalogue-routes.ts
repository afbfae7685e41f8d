import { HoldfastError } from '../../core/errors.js';
import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import { parseTag, TAG_FORM, type Tags } from '../../core/tags.js';
import { RouteReply, type JsonSchema, type Route } from '../../monitors/http/route.js';
import type { Catalogue } from './catalogue.js';
import { PAGE_MAX, recordingDetail, searchRecordings, type RecordingFilter } from './search-recordings.js';

const TEXT_MAX = 1_000;
const text = (description: string): JsonSchema => ({ type: 'string', maxLength: TEXT_MAX, description });
const bytes = (description: string): JsonSchema => ({ type: 'integer', minimum: 0, description });
const rows: JsonSchema = { type: 'array', items: { type: 'object' } };

const query: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    robot: text('its name or VIN; in every text, * stands for any text'),
    from: text(`with messages at or after this (${TIME_FORM})`),
    to: text('with messages at or before this'),
    topic: text('with messages of this topic'),
    type: text('with messages of this type'),
    event: text('with a marked event of this label'),
    tag: text('with these tags: name=value, several with & between them (as %26)'),
    gap: text('with a gap of this reason; *: with any gap'),
    min_bytes: bytes('size of the object'),
    max_bytes: bytes('size of the object'),
    state: { type: 'string', enum: ['stored', 'evicted', 'missing', 'local'] },
    limit: { type: 'integer', minimum: 1, maximum: PAGE_MAX, default: 100 },
    after: text('next of the page before'),
  },
};

/** Search and upkeep of the catalogue. */
export function catalogueRoutes(catalogue: Catalogue): readonly Route[] {
  const { database } = catalogue;
  return [
    {
      ...{ method: 'GET', path: '/api/recordings', role: 'viewer', query },
      summary: 'Recordings of the stores, the newest first (docs/catalogue.md)',
      answer: {
        ...{ type: 'object', required: ['recordings'] },
        properties: { recordings: rows, next: { type: 'string' } },
      },
      handle: async ({ query: given }) =>
        searchRecordings(database, filterOf(given), {
          limit: given['limit'] as number,
          ...(given['after'] === undefined ? {} : { after: given['after'] as string }),
        }),
    },
    {
      ...{ method: 'GET', path: '/api/recordings/:recording', role: 'viewer' },
      summary: 'One recording, with topics, marked events and gaps',
      answer: { type: 'object' },
      also: { '404': 'the catalogue does not have it' },
      handle: async ({ params }) => {
        const number = Number(params['recording']);
        const found = Number.isSafeInteger(number) ? await recordingDetail(database, number) : undefined;
        if (found !== undefined) return found;
        const message =
          `the catalogue has no recording ${params['recording'] ?? ''}; one that a robot has sent to a store ` +
          'since has another number';
        return new RouteReply(404, { error: { code: 'NOT_FOUND', message } });
      },
    },
    {
      ...{ method: 'GET', path: '/api/catalogue', role: 'viewer' },
      summary: 'The stores of the catalogue, and when each was listed last',
      answer: { type: 'object', required: ['stores'], properties: { stores: rows } },
      handle: async () => ({
        stores: (await catalogue.stores()).map(({ listedAt, ...store }) => ({
          ...store,
          listedAt: listedAt === null ? null : String(listedAt),
        })),
      }),
    },
    upkeep('refresh', 'Lists every store now', () => catalogue.refresh()),
    upkeep('rebuild', 'Empties the catalogue and reads every store again', () => catalogue.rebuild()),
  ];
}

function upkeep(name: string, summary: string, work: () => Promise<readonly object[]>): Route {
  return {
    ...{ method: 'POST', path: `/api/catalogue/${name}`, role: 'operator', summary },
    answer: { type: 'object', required: ['stores'], properties: { stores: rows } },
    handle: async () => ({ stores: await work() }),
  };
}

/** Throws `REQUEST_INVALID` with the parameter, its value and what is allowed. */
function filterOf(given: Readonly<Record<string, unknown>>): RecordingFilter {
  const word = (name: string): string | undefined => given[name] as string | undefined;
  const time = (name: string): bigint | undefined => {
    const said = word(name);
    const parsed = said === undefined ? undefined : parseTime(said);
    if (said !== undefined && parsed === undefined) throw invalid(name, said, TIME_FORM);
    return parsed;
  };
  const all = {
    ...{ robot: word('robot'), from: time('from'), to: time('to'), topic: word('topic'), type: word('type') },
    ...{ event: word('event'), tags: tagsOf(word('tag')), gap: word('gap'), state: word('state') },
    ...{ minBytes: given['min_bytes'], maxBytes: given['max_bytes'] },
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function tagsOf(said: string | undefined): Tags | undefined {
  if (said === undefined) return undefined;
  const tags = said.split('&').map((one) => {
    const tag = parseTag(one);
    if (tag === undefined) throw invalid('tag', one, TAG_FORM);
    return tag;
  });
  return Object.fromEntries(tags);
}

function invalid(name: string, value: string, allowed: string): HoldfastError {
  return new HoldfastError(
    'REQUEST_INVALID',
    `${name} is ${JSON.stringify(value.slice(0, 80))}, allowed: ${allowed}`,
  );
}
