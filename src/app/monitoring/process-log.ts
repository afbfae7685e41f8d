import { defined } from '../../core/defined.js';
import type { Logger } from '../../core/logger.js';
import { OperationalLog } from '../../monitors/log/operational-log.js';
import { RotatingFile } from '../../monitors/log/rotating-file.js';
import type { ParameterValues } from '../../settings/parameter-table.js';
import { logFilePath } from './monitoring-options.js';
import { systemTimers } from '../../host/system-clock.js';

/**
 * The log of a long-running process: `terminal` (which must pass every level), the rotated file of the
 * parameters, and the last lines in memory. Dispose of it last. At any other end of the process, the queue is
 * written on its `exit`, and an uncaught error is logged.
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
          queueMaxLines: values['log.queue_lines'],
          timers: systemTimers,
        });
  const log = new OperationalLog({
    level: values['log.level'],
    role,
    terminal,
    nowMs: Date.now,
    ...defined({ file }),
  });
  const onExit = (): void => log.flushSync();
  const onFatal = (error: unknown): void =>
    log.error('the process ends because of an uncaught error', { error });
  process.on('exit', onExit);
  // Only logs: it does not decide what happens to the process.
  process.on('uncaughtExceptionMonitor', onFatal);
  // A listener alone would keep Node from ending the process.
  if (process.listenerCount('unhandledRejection') > 0) process.prependListener('unhandledRejection', onFatal);
  log.onClosed = () => {
    process.off('exit', onExit);
    process.off('uncaughtExceptionMonitor', onFatal);
    process.off('unhandledRejection', onFatal);
  };
  return log;
}
