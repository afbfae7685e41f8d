import type { ControlHandlers, ControlRole } from '../control/control-protocol.js';
import { listenForControl, type ControlServer } from '../control/control-server.js';
import type { Invocation } from './command-definition.js';

/** A role's ear on its data folder, and the signal that ends the role: ours, or an `end` from outside. */
export interface RoleControl extends AsyncDisposable {
  readonly signal: AbortSignal;
}

/** Listens for requests on behalf of a role; `end` is answered here. */
export async function controlRole(
  role: ControlRole,
  data: string,
  handlers: ControlHandlers,
  { stop, logger }: Invocation,
): Promise<RoleControl> {
  const stopRequest = new AbortController();
  const server: ControlServer = await listenForControl(
    data,
    role,
    { end: () => stopRequest.abort(new Error('ended by a control request')), ...handlers },
    logger,
  );
  return {
    signal: AbortSignal.any([stop.signal, stopRequest.signal]),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Calls `action` once `signal` is aborted, at once where it already is. */
export function onAbort(signal: AbortSignal, action: () => void): void {
  if (signal.aborted) action();
  else signal.addEventListener('abort', action, { once: true });
}
