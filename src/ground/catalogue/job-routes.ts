import type { Store } from '../../core/store.js';
import { RouteReply, type JsonSchema, type Route } from '../../monitors/http/route.js';
import { fileName, notFound, notStored, type FileRouteParts } from './file-routes.js';
import { recordingDetail } from './search-recordings.js';

/** Formats of `holdfast export`; the first is the default. */
export const jobFormats = ['csv', 'parquet', 'jsonl', 'numpy', 'tfrecord'] as const;

/** What is to be made from which object of a store. */
export interface JobRequest {
  readonly kind: 'report' | 'export';
  readonly key: string;
  readonly bytes: number;
  /** Of the result, without its ending. */
  readonly name: string;
  /** Of an export. */
  readonly format: string;
}

export interface JobState {
  readonly state: 'running' | 'done' | 'failed';
  /** Why it failed. */
  readonly message: string;
  /** Of the result in the store of results. */
  readonly key?: string;
}

/** Makes reports and exports. */
export interface RecordingJobs {
  /** Returns its id. Throws `STATE_REFUSED`. */
  start(store: Store, request: JobRequest): string;
  state(id: string): JobState | undefined;
}

export interface JobRouteParts extends FileRouteParts {
  readonly jobs: RecordingJobs;
  /** Has the results. */
  readonly results: Store;
}

const answer: JsonSchema = {
  type: 'object',
  required: ['job', 'state', 'message'],
  properties: {
    ...{ job: { type: 'string' }, state: { type: 'string', enum: ['running', 'done', 'failed'] } },
    message: { type: 'string', description: 'why it failed' },
    path: { type: 'string', description: 'of the result, relative to the address of the ground' },
  },
};

/** Reports and exports of recordings. */
export function jobRoutes(parts: JobRouteParts): readonly Route[] {
  return [startRoute('report', parts), startRoute('export', parts), stateRoute(parts)];
}

function startRoute(kind: JobRequest['kind'], { database, stores, jobs }: JobRouteParts): Route {
  const format = { type: 'string', enum: jobFormats, default: jobFormats[0] };
  return {
    ...{ method: 'POST', path: `/api/recordings/:recording/${kind}`, role: 'operator' },
    summary:
      kind === 'report'
        ? 'Makes a report of a recording: one HTML page'
        : 'Exports a recording: a tar file with the tables',
    ...(kind === 'export'
      ? { body: { type: 'object', properties: { format }, additionalProperties: false } }
      : {}),
    answer,
    also: { '404': 'the catalogue does not have it' },
    handle: async ({ params, body }) => {
      const number = Number(params['recording']);
      const found = Number.isSafeInteger(number) ? await recordingDetail(database, number) : undefined;
      if (found === undefined) return notFound('there is no such recording');
      const store = stores.find(({ uri }) => uri === found.store);
      if (found.state !== 'stored' || store === undefined) return notStored(found);
      const name = fileName(found).replace(/\.mcap$/, '');
      const { key, bytes } = found;
      const job = jobs.start(store, {
        kind,
        key,
        bytes,
        name,
        format: (body['format'] as string | undefined) ?? '',
      });
      return { job, state: 'running', message: '' };
    },
  };
}

function stateRoute({ jobs, results, tickets }: JobRouteParts): Route {
  return {
    ...{ method: 'GET', path: '/api/jobs/:job', role: 'operator' },
    summary: 'How a report or an export proceeds, and where its result is',
    answer,
    also: { '404': 'this process of the ground does not know it' },
    handle: ({ params }) => {
      const job = params['job'] ?? '';
      const found = jobs.state(job);
      if (found === undefined) return notFound('there is no such job');
      const { state, message, key } = found;
      if (key === undefined) return { job, state, message };
      const { ticket } = tickets.give({ store: results.uri, key });
      const name = key.split('/').at(-1) ?? '';
      return new RouteReply(200, {
        job,
        state,
        message,
        path: `files/${name}?ticket=${ticket}&download=true`,
      });
    },
  };
}
