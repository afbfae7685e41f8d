import { chown, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { readFileIfPresent, writeFileDurably } from '../../core/durable-files.js';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import type { SystemUser } from '../../host/system-user.js';
import { PORT, type Cluster } from './cluster-folder.js';

export interface EarlierPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Also with a checkpoint of a slow disk; then PostgreSQL gives up its sessions at once. */
const FAST_MS = 30_000;
const IMMEDIATE_MS = 10_000;
const POLL_MS = 50;

/**
 * Ends a PostgreSQL that an earlier ground left behind when it was killed, and corrects what its files say about
 * it. The caller holds the lock of the ground's folder, so nobody else uses the database.
 */
export async function endEarlier({ data, socketFolder, user }: Cluster, ports: EarlierPorts): Promise<void> {
  const { fs, clock, logger } = ports;
  const file = join(data, 'postmaster.pid');
  const lines = (await readFileIfPresent(fs, file))?.toString('utf8').split('\n');
  const pid = Number(lines?.[0]);
  if (lines !== undefined && Number.isInteger(pid) && pid > 1 && isAlive(pid)) {
    if (await isPostgresOf(pid, data)) {
      logger.info('ending the database of an earlier ground', { pid });
      const ended =
        (await ends({ pid, data }, 'SIGINT', FAST_MS, clock)) ||
        (await ends({ pid, data }, 'SIGQUIT', IMMEDIATE_MS, clock));
      if (!ended) {
        throw new HoldfastError(
          'GROUND_DATABASE_UNUSABLE',
          `an earlier PostgreSQL (process ${pid}) does not end`,
          {
            facts: { pid },
          },
        );
      }
    } else await nameOurselves(fs, file, lines, user);
  }
  for (const name of [`.s.PGSQL.${PORT}`, `.s.PGSQL.${PORT}.lock`])
    await fs.rm(join(socketFolder, name), { force: true });
}

/**
 * Another process has the number by now, and PostgreSQL would take it for a server. Under the number of its own
 * parent it knows that the file is old; it still checks that no session of the earlier server is left.
 */
async function nameOurselves(
  fs: FileSystem,
  file: string,
  lines: readonly string[],
  user: SystemUser | undefined,
): Promise<void> {
  await writeFileDurably(fs, file, [String(process.pid), ...lines.slice(1)].join('\n'));
  if (user !== undefined) await chown(file, user.uid, user.gid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The server works in its data folder. A process that has ended and was not collected works nowhere. */
async function isPostgresOf(pid: number, data: string): Promise<boolean> {
  return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === (await realpath(data));
}

async function ends(
  { pid, data }: { readonly pid: number; readonly data: string },
  signal: NodeJS.Signals,
  withinMs: number,
  clock: Clock,
): Promise<boolean> {
  try {
    process.kill(pid, signal);
  } catch {
    return true;
  }
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += POLL_MS) {
    if (!(await isPostgresOf(pid, data))) return true;
    await clock.sleep(POLL_MS);
  }
  return false;
}
