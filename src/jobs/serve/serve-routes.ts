import { Readable } from 'node:stream';
import { formatTime } from '../../core/clock.js';
import { sha256, text } from '../../core/documents/schema-parts.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { Clock } from '../../core/clock.js';
import type { ErrorCode } from '../../core/error-catalogue.js';
import { parseRange } from '../../monitors/http/file-range.js';
import { RouteReply, RouteStream, type Route, type RouteRequest } from '../../monitors/http/route.js';
import { SignedTickets } from '../../monitors/http/signed-tickets.js';
import type { SegmentRow } from '../../recordings/list-segments.js';
import type { MessageFilter } from '../../recordings/message-filter.js';
import type { FileWish, MergedFiles } from './merged-files.js';
import { parseWindow, windowPath, windowQuery, type MergeWindow } from './merge-window.js';
import { robotTotals } from './robot-totals.js';
import { segmentSchema, windowSchema, robotSchema } from './serve-schemas.js';

export interface ServeParts {
  readonly files: Pick<MergedFiles, 'open'>;
  /** The rows of the recording. */
  readonly rows: (filter: Pick<MessageFilter, 'robots' | 'from' | 'to'>) => AsyncIterable<SegmentRow>;
  readonly secret: Uint8Array;
  readonly clock: Clock;
}

interface TicketWindow {
  /** The window as a query. */
  readonly query: string;
  /** Of the merged file. */
  readonly digest: string;
}

/** Files that are read at the same time by all clients together. */
const OPEN_MAX = 64;
const ROWS_DEFAULT = 1_000;
const ROWS_MAX = 10_000;
const FILE_TYPE = 'application/octet-stream';

const statusOf: Readonly<Partial<Record<ErrorCode, number>>> = {
  REQUEST_INVALID: 400,
  STATE_REFUSED: 409,
  IDENTITY_MISSING: 409,
  OUTPUT_UNUSABLE: 507,
  DISK_FULL: 507,
};

/** A recording over HTTP: its robots and segments, and the merged file of a window of it. */
export function serveRoutes(parts: ServeParts): readonly Route[] {
  const tickets = new SignedTickets<TicketWindow>({ query: text, digest: sha256 }, parts.secret, parts.clock);
  const reader = new FileReader(parts.files);
  return [
    robotsRoute(parts),
    segmentsRoute(parts),
    windowRoute(parts, tickets),
    ...fileRoutes(reader, tickets),
  ];
}

function robotsRoute({ rows }: ServeParts): Route {
  return {
    ...{ method: 'GET', path: '/api/robots', role: 'viewer' },
    summary: 'The robots of the recording, each with its first and last log time',
    answer: { type: 'array', items: robotSchema },
    handle: () => answered(() => robotTotals(rows({}))),
  };
}

function segmentsRoute({ rows }: ServeParts): Route {
  const { robot, from, to } = windowQuery;
  return {
    ...{ method: 'GET', path: '/api/segments', role: 'viewer' },
    summary: 'The segments of the recording, as holdfast ls shows them',
    query: {
      type: 'object',
      properties: {
        ...{ robot, from, to },
        limit: { type: 'integer', minimum: 1, maximum: ROWS_MAX, description: `default: ${ROWS_DEFAULT}` },
      },
      additionalProperties: false,
    },
    answer: {
      ...{ type: 'object', required: ['segments', 'more'] },
      properties: {
        segments: { type: 'array', items: segmentSchema },
        more: { type: 'boolean', description: 'there are more than the limit' },
      },
    },
    handle: ({ query: { limit = ROWS_DEFAULT, ...query } }) =>
      answered(async () => {
        const segments: SegmentRow[] = [];
        for await (const row of rows(parseWindow(query).filter)) {
          if (segments.length === Number(limit)) return { segments, more: true };
          segments.push(row);
        }
        return { segments, more: false };
      }),
  };
}

function windowRoute({ files }: ServeParts, tickets: SignedTickets<TicketWindow>): Route {
  return {
    ...{ method: 'GET', path: '/api/window', role: 'viewer' },
    summary:
      'What the merged file of a window holds, and a link to it that works for 12 hours without a token',
    query: { type: 'object', properties: windowQuery, additionalProperties: false },
    answer: windowSchema,
    also: { '503': 'too many files are being made', '507': 'the merged file is too large' },
    handle: ({ query }) =>
      answered(async () => {
        const window = parseWindow(query);
        const merged = await files.open(window);
        const { topics, firstLogTime, lastLogTime, ...counts } = await merged.content;
        const { ticket, untilNs } = tickets.give({ query: windowPath(window), digest: merged.digest });
        return {
          ...counts,
          firstLogTime: firstLogTime === undefined ? null : String(firstLogTime),
          lastLogTime: lastLogTime === undefined ? null : String(lastLogTime),
          topics: topics.map(({ topic, type, messages }) => ({ topic, type, messages })),
          problems: merged.problems,
          sameAs: merged.digest,
          path: `merged.mcap${windowPath(window)}`,
          link: `files/${nameOf(window)}?ticket=${ticket}`,
          until: formatTime(untilNs),
        };
      }),
  };
}

/** A viewer recognises the format by the end of the name. */
function nameOf({ filter: { robots } }: MergeWindow): string {
  const [robot = 'recording'] = robots?.length === 1 ? robots : [];
  return `${robot.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, 60)}.mcap`;
}

function fileRoutes(reader: FileReader, tickets: SignedTickets<TicketWindow>): readonly Route[] {
  const file: Pick<Route, 'method' | 'role' | 'head' | 'answer' | 'answerType'> = {
    ...{ method: 'GET', role: 'viewer', head: true },
    ...{ answer: { type: 'string', format: 'binary' }, answerType: FILE_TYPE },
  };
  const also = {
    ...{ '206': 'the range', '416': 'the range is not in the file' },
    ...{ '503': 'too many files are being made or read', '507': 'the merged file is too large' },
  };
  return [
    {
      ...{ ...file, path: '/merged.mcap', also },
      summary: 'One MCAP file with the messages of a window, or a range of its bytes',
      query: { type: 'object', properties: windowQuery, additionalProperties: false },
      handle: (request) =>
        answered(() =>
          reader.reply(parseWindow(request.query), { same: request.range !== undefined }, request),
        ),
    },
    {
      ...{ ...file, path: '/files/:name', open: true, crossOrigin: true },
      also: { ...also, '403': 'the link is no longer valid', '409': 'the recording has changed' },
      summary: 'The merged file of a link, or a range of its bytes',
      query: {
        ...{ type: 'object', required: ['ticket'] },
        properties: { ticket: { type: 'string', maxLength: 16_384 } },
      },
      handle: (request) =>
        answered(() => {
          const given = tickets.read(String(request.query['ticket']));
          if (given === undefined) return refused(403, 'STATE_REFUSED', 'the link is no longer valid');
          const window = parseWindow(queryOf(given.query));
          return reader.reply(window, { digest: given.digest }, request);
        }),
    },
  ];
}

function queryOf(text: string): Record<string, readonly string[] | string> {
  const query = new URLSearchParams(text);
  const lists = Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)]));
  const times = Object.fromEntries([...query].filter(([name]) => name === 'from' || name === 'to'));
  return { ...lists, ...times };
}

/** Answers requests for bytes of merged files. */
class FileReader {
  #open = 0;

  constructor(readonly files: Pick<MergedFiles, 'open'>) {}

  async reply(
    window: MergeWindow,
    wish: FileWish,
    { range: header, ifRange }: RouteRequest,
  ): Promise<RouteReply | RouteStream> {
    if (this.#open >= OPEN_MAX)
      return refused(503, 'STATE_REFUSED', `${OPEN_MAX} files are read, try again later`);
    const { file, content, digest } = await this.files.open(window, wish);
    const { bytes } = await content;
    const etag = `"${digest}"`;
    const range = ifRange === undefined || ifRange === etag ? parseRange(header, bytes) : undefined;
    if (range === 'outside')
      return new RouteStream(416, { 'content-range': `bytes */${bytes}` }, Readable.from([]));
    const { start, end } = range ?? { start: 0, end: bytes };
    const headers = {
      ...{ 'content-type': FILE_TYPE, 'accept-ranges': 'bytes', etag },
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes}` }),
    };
    return new RouteStream(range === undefined ? 200 : 206, headers, this.#counted(file.read(start, end)));
  }

  async *#counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#open++;
    try {
      yield* content;
    } finally {
      this.#open--;
    }
  }
}

/** Errors of the recording as answers. */
async function answered(answer: () => unknown): Promise<unknown> {
  try {
    return await answer();
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const status = error.retryable && error.code !== 'DISK_FULL' ? 503 : (statusOf[error.code] ?? 500);
    return refused(status, error.code, describeError(error));
  }
}

function refused(status: number, code: ErrorCode, message: string): RouteReply {
  return new RouteReply(status, { error: { code, message } });
}
