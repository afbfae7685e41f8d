import { HoldfastError } from '../../core/errors.js';
import type { LogLevel } from '../../core/logger.js';
import type {
  MonitoredExports,
  MonitoredLog,
  MonitoredRecorder,
  MonitoredSync,
} from '../../core/monitoring.js';
import type { TagChanges } from '../../core/tags.js';
import type { JsonSchema, Route } from './route.js';
import { object, ref, said, text } from './schemas.js';
import { tagsBody } from './tags-body.js';

export interface ControlRouteParts {
  readonly recorder: MonitoredRecorder;
  readonly sync: MonitoredSync;
  readonly log: MonitoredLog;
  readonly exports?: MonitoredExports;
}

const LABEL_MAX_CHARS = 200;
const WINDOW_MAX_S = 3_600;

/** The control operations. Each answers once the work is done; a refusal says why (409, `STATE_REFUSED`). */
export function controlRoutes({ recorder, sync, log, exports }: ControlRouteParts): readonly Route[] {
  return [
    control('start', 'Opens the sources and records', () => recorder.activate()),
    control('pause', 'Refuses messages until resumed; they are counted as gaps', () => recorder.pause()),
    control('resume', 'Records again after a pause', () => recorder.resume()),
    control('stop', 'Ends the sources, commits and seals; the process stays and can start again', () =>
      recorder.deactivate(),
    ),
    control('split', 'Ends the open segment and begins the next', () => recorder.split()),
    control('sync_now', 'Makes sync look and send at once instead of waiting for its next turn', () =>
      sync.syncNow(),
    ),
    {
      ...base('mark_event', 'Marks a window around now: sealed soon and uploaded first'),
      body: {
        type: 'object',
        properties: {
          label: { type: 'string', minLength: 1, maxLength: LABEL_MAX_CHARS, description: 'what happened' },
          before_s: seconds('before now'),
          after_s: seconds('after now'),
        },
        required: ['label'],
        additionalProperties: false,
      },
      answer: object({ ok: { type: 'boolean' }, event: ref('MarkedEvent') }),
      handle: async ({ body }) => {
        const event = await recorder.markEvent({
          label: body['label'] as string,
          beforeS: body['before_s'] as number,
          afterS: body['after_s'] as number,
        });
        return { ok: true, event };
      },
    },
    tagsRoute(recorder),
    exportRoute(exports),
    {
      ...base('log_level', 'Changes the least important level that is logged, until the process ends'),
      body: {
        type: 'object',
        properties: { level: { ...text, enum: ['debug', 'info', 'warn', 'error'] } },
        required: ['level'],
        additionalProperties: false,
      },
      answer: ref('Ok'),
      handle: ({ body }) => {
        log.setLevel(body['level'] as LogLevel);
        return { ok: true };
      },
    },
  ];
}

function tagsRoute(recorder: MonitoredRecorder): Route {
  return {
    ...base('set_tags', 'Sets tags of the segments from now on; an empty value removes one'),
    body: tagsBody,
    answer: object({
      ok: { type: 'boolean' },
      tags: { type: 'object', additionalProperties: { type: 'string' } },
    }),
    handle: async ({ body }) => ({ ok: true, tags: await recorder.setTags(body['tags'] as TagChanges) }),
  };
}

function exportRoute(exports: MonitoredExports | undefined): Route {
  return {
    ...base('export', 'Starts an export of recorded data'),
    body: said({ type: 'object' }, 'what to export; docs/export.md'),
    answer: object({ ok: { type: 'boolean' }, export: { type: 'object' } }),
    also: { '501': 'this process has no exports' },
    handle: async ({ body }) => {
      if (exports === undefined) {
        throw new HoldfastError(
          'REQUEST_UNSUPPORTED',
          'this recorder does not export; use the command line (holdfast --help)',
        );
      }
      return { ok: true, export: await exports.start(body) };
    },
  };
}

function base(name: string, summary: string): Pick<Route, 'method' | 'path' | 'role' | 'summary'> {
  return { method: 'POST', path: `/control/${name}`, role: 'operator', summary };
}

function control(name: string, summary: string, work: () => void | Promise<void>): Route {
  return {
    ...base(name, summary),
    answer: ref('Ok'),
    handle: async () => {
      await work();
      return { ok: true };
    },
  };
}

function seconds(what: string): JsonSchema {
  return { type: 'number', minimum: 0, maximum: WINDOW_MAX_S, default: 30, description: `seconds ${what}` };
}
