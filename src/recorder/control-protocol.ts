import type { ControlArguments } from './control-arguments.js';
import type { ControlRequest } from './control-requests.js';

/** The processes with a control socket, one each. */
export type ControlRole = 'recorder' | 'sync';

export const controlRoles: readonly ControlRole[] = ['recorder', 'sync'];

export type ControlAnswer =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly error: { readonly code: string; readonly message: string };
    };

/** The handlers of a role; a request without a handler is answered with `REQUEST_UNSUPPORTED`. */
export type ControlHandlers = {
  readonly [R in ControlRequest]?: (args: ControlArguments<R>) => unknown;
};

/** Limits of the server, so that no client can make it hold more memory. */
export const REQUEST_MAX_BYTES = 4 * 1024;
export const CLIENTS_MAX = 16;
export const CLIENT_IDLE_MS = 60_000;
/** Bytes of answers that a client has not read; beyond it, the client is disconnected. */
export const UNREAD_MAX_BYTES = 4 * 1024 * 1024;
/** Time limit of the client for one answer. */
export const ANSWER_MAX_BYTES = 16 * 1024 * 1024;
