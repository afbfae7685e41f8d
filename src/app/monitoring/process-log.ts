import type { Logger } from '../../core/logger.js';
import { OperationalLog } from '../../monitors/log/operational-log.js';
import { RotatingFile } from '../../monitors/log/rotating-file.js';
import type { ParameterValues } from '../parameters/parameter-table.js';
import { logFilePath } from './monitoring-options.js';

/**
 * The log of a long-running process: `terminal` (which must let every level pass), the rotated file the
 * parameters name, and the last lines in memory. Dispose it last. Whatever else ends the process, what is
 * queued is written on its `exit`, and an error that nobody caught is on record.
 */
export function openProcessLog(
  role: 'recorder' | 'sync',
  values: ParameterValues,
  terminal: Logger,
): OperationalLog {
  const path = logFilePath(values, role);
  const file =
    path === undefined
      ? undefined
      : new RotatingFile({
          path,
          maxBytes: values['log.file_max_bytes'],
          kept: values['log.files_kept'],
        });
  const log = new OperationalLog({
    level: values['log.level'],
    role,
    terminal,
    nowMs: Date.now,
    ...(file === undefined ? {} : { file }),
  });
  const onExit = (): void => log.flushSync();
  const onFatal = (error: unknown): void =>
    log.error('the process dies of an error nobody caught', { error });
  process.on('exit', onExit);
  // Only looks on: what becomes of the process is for others to say.
  process.on('uncaughtExceptionMonitor', onFatal);
  // A listener of ours alone would keep Node from ending the process.
  if (process.listenerCount('unhandledRejection') > 0) process.prependListener('unhandledRejection', onFatal);
  log.onClosed = () => {
    process.off('exit', onExit);
    process.off('uncaughtExceptionMonitor', onFatal);
    process.off('unhandledRejection', onFatal);
  };
  return log;
}
