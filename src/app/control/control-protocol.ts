import type { ControlArguments } from './control-arguments.js';

/**
 * Steering between processes of one machine: one JSON object per line each way over a Unix domain socket.
 *
 *     -> {"id":1,"request":"mark_event","args":{"label":"bump"}}
 *     <- {"id":1,"ok":true,"result":{...}}
 *     <- {"id":1,"ok":false,"error":{"code":"REQUEST_UNSUPPORTED","message":"..."}}
 */
export const controlRequests = [
  'status',
  'topics',
  'start',
  'stop',
  'split',
  'pause',
  'resume',
  'mark_event',
  'sync_now',
  'drain',
  'end',
] as const;

export type ControlRequest = (typeof controlRequests)[number];

/** The processes that listen, each on a socket of its own. */
export type ControlRole = 'recorder' | 'sync';

export const controlRoles: readonly ControlRole[] = ['recorder', 'sync'];

export type ControlAnswer =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly error: { readonly code: string; readonly message: string };
    };

/** What a role does on a request; a request without a handler is answered `REQUEST_UNSUPPORTED`. */
export type ControlHandlers = {
  readonly [R in ControlRequest]?: (args: ControlArguments<R>) => unknown;
};

/** Bounds of the server: nobody who connects can make the role hold more than this. */
export const REQUEST_MAX_BYTES = 4 * 1024;
export const CLIENTS_MAX = 16;
export const CLIENT_IDLE_MS = 60_000;
/** Answers a client has not read; beyond it, it is cut off. */
export const UNREAD_MAX_BYTES = 4 * 1024 * 1024;
/** Bound of the client on one answer. */
export const ANSWER_MAX_BYTES = 16 * 1024 * 1024;
