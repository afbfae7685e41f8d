import type { Clock } from '../../core/clock.js';
import { isHoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { askRole } from '../control/control-client.js';
import { defaultRestartPolicy, type RestartPolicy } from './restart-policy.js';
import { SupervisedChild, type ChildEnd } from './supervised-child.js';

const DRAIN_RETRY_MS = 250;

export interface SuperviseOptions {
  /** Data folder both processes work on. */
  readonly data: string;
  /** Script and arguments of each process; `drain` is set when sync shall end once all is verified. */
  readonly recorder: () => readonly string[];
  readonly sync: (drain: boolean) => readonly string[];
  /** End only when everything sealed is verified in the store. */
  readonly drain: boolean;
  /** Ends both, the recorder first; while sync drains, it ends the draining. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onLog: (chunk: string) => void;
  /** Default: {@link defaultRestartPolicy}. */
  readonly policy?: RestartPolicy;
}

export interface SuperviseResult {
  readonly recorder: ChildEnd;
  readonly sync: ChildEnd;
}

/**
 * Runs recorder and sync, each started again with backoff when it dies. Ends when the recorder is done
 * (its sources were finite, it was stopped, or the signal came): then sync drains, or just ends where
 * draining is not wanted. Ends at once when one of them can never work (wrong configuration, folder busy).
 */
export async function supervise(options: SuperviseOptions): Promise<SuperviseResult> {
  const { clock, logger, onLog, signal } = options;
  const policy = options.policy ?? defaultRestartPolicy;
  const shared = { policy, clock, logger, onLog };
  let drain = false;
  const recorder = new SupervisedChild({ ...shared, name: 'recorder', command: options.recorder });
  const sync = new SupervisedChild({ ...shared, name: 'sync', command: () => options.sync(drain) });

  let isDraining = false;
  const onSignal = (): void => {
    recorder.stop('SIGTERM');
    // Whoever interrupts a drain has waited long enough: what is left is uploaded next time.
    if (isDraining) sync.stop('SIGTERM');
  };
  if (signal.aborted) onSignal();
  else signal.addEventListener('abort', onSignal, { once: true });
  try {
    const first = await Promise.race([
      recorder.ended,
      sync.ended.then((end) => (end.exitCode === 0 ? recorder.ended : end)),
    ]);
    const recorderEnd = first.exitCode === 0 ? await recorder.ended : undefined;
    if (recorderEnd?.exitCode === 0 && options.drain) {
      isDraining = true;
      drain = true;
      await askToDrain(options, sync);
    } else {
      recorder.stop('SIGTERM');
      sync.stop('SIGTERM');
    }
    return { recorder: recorderEnd ?? (await recorder.ended), sync: await sync.ended };
  } finally {
    signal.removeEventListener('abort', onSignal);
  }
}

/**
 * Tells the running sync to drain; one that is just being started again gets it as a flag. Asking until it
 * ends covers the moment between a death and the next start.
 */
async function askToDrain({ data, clock, logger }: SuperviseOptions, sync: SupervisedChild): Promise<void> {
  let isOver = false;
  void sync.ended.then(() => (isOver = true));
  while (!isOver) {
    try {
      await askRole(data, 'sync', 'drain');
      return;
    } catch (error) {
      if (!isHoldfastError(error, 'ROLE_NOT_RUNNING')) logger.warn('sync does not drain yet', { error });
    }
    await Promise.race([clock.sleep(DRAIN_RETRY_MS), sync.ended]);
  }
}
