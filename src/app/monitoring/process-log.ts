import type { Logger } from '../../core/logger.js';
import { OperationalLog } from '../../monitors/log/operational-log.js';
import { RotatingFile } from '../../monitors/log/rotating-file.js';
import type { ParameterValues } from '../parameters/parameter-table.js';
import { logFilePath } from './monitoring-options.js';

/**
 * The log of a long-running process: `terminal` (which must let every level pass), the rotated file the
 * parameters name, and the last lines in memory. Dispose it last. Whatever else ends the process, what is
 * queued is written on its `exit`.
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
  process.on('exit', onExit);
  log.onClosed = () => process.off('exit', onExit);
  return log;
}
