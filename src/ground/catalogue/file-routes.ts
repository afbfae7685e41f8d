import { ENCRYPTED_END } from '../../core/manifest.js';
import { Readable } from 'node:stream';
import { formatTime } from '../../core/clock.js';
import type { Store } from '../../core/store.js';
import { RouteReply, RouteStream, type Route, type RouteRequest } from '../../monitors/http/route.js';
import type { Queries } from '../database/database.js';
import { parseRange } from '../../monitors/http/file-range.js';
import type { FileTickets } from './file-tickets.js';
import { recordingDetail } from './search-recordings.js';

export interface FileRouteParts {
  readonly database: Queries;
  readonly stores: readonly Store[];
  readonly tickets: FileTickets;
}

/** Files that are read at the same time by all clients together. */
const OPEN_MAX = 64;
const NAME_MAX_CHARS = 60;

/** Recordings as files: links for people, and the bytes for viewers such as Foxglove. */
export function fileRoutes(parts: FileRouteParts): readonly Route[] {
  return [linkRoute(parts), fileRoute(parts)];
}

function linkRoute({ database, stores, tickets }: FileRouteParts): Route {
  return {
    ...{ method: 'POST', path: '/api/recordings/:recording/link', role: 'viewer' },
    summary: 'A link to the MCAP file of a recording, which works for 12 hours without a token',
    answer: {
      ...{ type: 'object', required: ['path', 'until'] },
      properties: {
        path: { type: 'string', description: 'relative to the address of the ground' },
        until: { type: 'string', description: 'ISO 8601' },
      },
    },
    also: { '404': 'the catalogue does not have it' },
    handle: async ({ params }) => {
      const number = Number(params['recording']);
      const found = Number.isSafeInteger(number) ? await recordingDetail(database, number) : undefined;
      if (found === undefined) return notFound('there is no such recording');
      if (found.state !== 'stored' || !stores.some(({ uri }) => uri === found.store)) return notStored(found);
      const { ticket, untilNs } = tickets.give(found);
      const name = found.key.endsWith(ENCRYPTED_END) ? `${fileName(found)}.enc` : fileName(found);
      const path = `files/${name}?ticket=${ticket}`;
      return { path, until: formatTime(untilNs) };
    },
  };
}

/** A viewer recognises the format by the end of the name. */
export function fileName({ robot, segment }: { readonly robot: string; readonly segment: string }): string {
  const number = /^(\d{12})-/.exec(segment)?.[1] ?? segment;
  return `${`${robot}-${Number(number) || number}`.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, NAME_MAX_CHARS)}.mcap`;
}

function fileRoute({ stores, tickets }: FileRouteParts): Route {
  let open = 0;
  return {
    ...{ method: 'GET', path: '/files/:name', role: 'viewer', open: true, crossOrigin: true },
    summary: 'The MCAP file of a link, or a range of its bytes',
    query: {
      ...{ type: 'object', required: ['ticket'] },
      properties: {
        ticket: { type: 'string', maxLength: 4_096 },
        download: { type: 'boolean', description: 'the browser saves it' },
      },
    },
    answer: { type: 'string', format: 'binary' },
    answerType: 'application/octet-stream',
    also: {
      ...{ '206': 'the range', '403': 'the link is no longer valid', '404': 'the store does not have it' },
      ...{ '416': 'the range is not in the file', '503': 'too many files are read at once' },
    },
    handle: async (request) => {
      const file = tickets.read(String(request.query['ticket']));
      const store = stores.find(({ uri }) => uri === file?.store);
      if (file === undefined || store === undefined) return refused(403, 'the link is no longer valid');
      if (open >= OPEN_MAX) return refused(503, `${OPEN_MAX} files are read, try again later`);
      const reply = await fileReply(store, file.key, request);
      if (!(reply instanceof RouteStream)) return reply;
      const content = counted(reply.content, (by) => (open += by));
      return new RouteStream(reply.status, reply.headers, content);
    },
  };
}

async function fileReply(
  store: Store,
  key: string,
  { range: header, query, params }: RouteRequest,
): Promise<RouteReply | RouteStream> {
  const info = await store.head(key);
  if (info === undefined) return notFound('the store does not have the file any more');
  const { bytes } = info;
  const range = parseRange(header, bytes);
  if (range === 'outside')
    return new RouteStream(416, { 'content-range': `bytes */${bytes}` }, Readable.from([]));
  const { start, end } = range ?? { start: 0, end: bytes };
  const name = params['name'] ?? 'recording.mcap';
  const headers = {
    ...{ 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' },
    'content-length': String(end - start),
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes}` }),
    ...(query['download'] === true
      ? { 'content-disposition': `attachment; filename="${name.replace(/[^A-Za-z0-9_.-]/g, '_')}"` }
      : {}),
  };
  return new RouteStream(range === undefined ? 200 : 206, headers, store.read(key, { start, end }));
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  count: (by: number) => void,
): AsyncGenerator<Uint8Array> {
  count(1);
  try {
    yield* content;
  } finally {
    count(-1);
  }
}

export function notFound(message: string): RouteReply {
  return new RouteReply(404, { error: { code: 'NOT_FOUND', message } });
}

export function notStored({ state }: { readonly state: string }): RouteReply {
  return refused(409, `the recording is ${state}, so no store has its file`);
}

function refused(status: number, message: string): RouteReply {
  return new RouteReply(status, { error: { code: 'STATE_REFUSED', message } });
}
