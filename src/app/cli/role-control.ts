import type { ControlHandlers, ControlRole } from '../../recorder/control-protocol.js';
import { listenForControl, type ControlServer } from '../control/control-server.js';
import type { Invocation } from './command-definition.js';

/**
 * The control socket of a role on its data folder, and the signal that ends the role: from the process, or
 * from an `end` request.
 */
export interface RoleControl extends AsyncDisposable {
  readonly signal: AbortSignal;
}

/** Listens for requests for a role; answers `end` itself. */
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
