import type { Clock } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import { isHoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { onAbort } from '../../core/on-abort.js';
import { askRole } from '../control/control-client.js';
import { defaultRestartPolicy, type RestartPolicy } from '../../host/restart-policy.js';
import { SupervisedChild, type ChildEnd } from './supervised-child.js';

const DRAIN_RETRY_MS = 250;

export interface SuperviseOptions {
  /** Data folder of both processes. */
  readonly data: string;
  /** Script and arguments of each process; `drain` is set if sync must end once all is verified. */
  readonly recorder: () => readonly string[];
  readonly sync: (drain: boolean) => readonly string[];
  /** Once the recorder has completed, end only when everything sealed is verified in the store. */
  readonly drain: boolean;
  /** The same if the signal ended the recorder. Default: false. */
  readonly drainWhenStopped?: boolean;
  /** Ends both, the recorder first; while sync drains, it ends the draining. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onLog: (chunk: string) => void;
  /** Added to the environment of both. Default: nothing. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: {@link defaultRestartPolicy}. */
  readonly policy?: RestartPolicy;
}

export interface SuperviseResult {
  readonly recorder: ChildEnd;
  readonly sync: ChildEnd;
}

/**
 * Runs recorder and sync, each restarted with backoff when it dies. When the recorder is done (its sources
 * were finite, it was stopped, or the signal aborted), sync drains, or just ends if draining is not wanted.
 * Ends at once if one of them has a permanent fault (wrong configuration, folder busy).
 */
export async function supervise(options: SuperviseOptions): Promise<SuperviseResult> {
  const { clock, logger, onLog, signal, environment } = options;
  const policy = options.policy ?? defaultRestartPolicy;
  const shared = { policy, clock, logger, onLog, ...defined({ environment }) };
  let drain = false;
  const recorder = new SupervisedChild({ ...shared, name: 'recorder', command: options.recorder });
  const sync = new SupervisedChild({ ...shared, name: 'sync', command: () => options.sync(drain) });

  let isDraining = false;
  const unlisten = onAbort(signal, () => {
    recorder.stop('SIGTERM');
    // A user who interrupts a drain does not want to wait longer: the next run uploads the rest.
    if (isDraining) sync.stop('SIGTERM');
  });
  try {
    const first = await Promise.race([
      recorder.ended,
      sync.ended.then((end) => (end.exitCode === 0 ? recorder.ended : end)),
    ]);
    const recorderEnd = first.exitCode === 0 ? await recorder.ended : undefined;
    if (recorderEnd?.exitCode === 0 && options.drain && (options.drainWhenStopped || !signal.aborted)) {
      isDraining = true;
      drain = true;
      await askToDrain(options, sync);
    } else {
      recorder.stop('SIGTERM');
      sync.stop('SIGTERM');
    }
    return { recorder: recorderEnd ?? (await recorder.ended), sync: await sync.ended };
  } finally {
    unlisten();
  }
}

/**
 * Asks the running sync to drain; one that is just being restarted gets it as a flag. Repeating this until it
 * ends covers the moment between a death and the next start.
 */
async function askToDrain({ data, clock, logger }: SuperviseOptions, sync: SupervisedChild): Promise<void> {
  let isOver = false as boolean;
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
