import { HoldfastError } from '../core/errors.js';
import type { RecorderStatus } from '../core/status.js';
import type { RecorderPhase } from './recorder-control.js';

export type RecorderTransition = 'configure' | 'activate' | 'deactivate' | 'cleanup';

interface Step {
  readonly from: RecorderPhase;
  readonly during: RecorderPhase;
  readonly after: RecorderPhase;
  /** The phase after a failure. */
  readonly failed: RecorderPhase;
}

/** The start and the end of each transition. A failed end still ends the recorder. */
export const recorderSteps: Readonly<Record<RecorderTransition, Step>> = {
  configure: { from: 'unconfigured', during: 'configuring', after: 'inactive', failed: 'unconfigured' },
  activate: { from: 'inactive', during: 'activating', after: 'active', failed: 'inactive' },
  deactivate: { from: 'active', during: 'deactivating', after: 'inactive', failed: 'inactive' },
  cleanup: { from: 'inactive', during: 'cleaning-up', after: 'unconfigured', failed: 'unconfigured' },
};

const words: Readonly<Record<RecorderPhase, string>> = {
  unconfigured: 'it has not taken its data folder',
  configuring: 'it is taking its data folder',
  inactive: 'it is not recording',
  activating: 'it is opening its sources',
  active: 'it is recording',
  deactivating: 'it is committing and sealing what it has taken in',
  'cleaning-up': 'it is giving its data folder back',
};

/** The reported state of a phase; undefined: the recorder's own (recording, paused, stalled). */
export const phaseStates: Readonly<Record<RecorderPhase, RecorderStatus['state'] | undefined>> = {
  unconfigured: 'stopped',
  configuring: 'recovering',
  inactive: 'inactive',
  activating: 'inactive',
  active: undefined,
  deactivating: 'draining',
  'cleaning-up': 'draining',
};

/** The refusal of a request that needs another phase. */
export function refusal(what: string, phase: RecorderPhase, needed: readonly RecorderPhase[]): HoldfastError {
  const allowed = needed.join(' or ');
  return new HoldfastError(
    'STATE_REFUSED',
    `the recorder cannot ${what} while ${phase}: ${words[phase]}; possible while ${allowed}`,
    { facts: { what, phase, needed } },
  );
}
