import type { FileSystem } from '../core/file-system.js';
import { systemCode } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Queries } from './database/database.js';
import { EpochTable } from './epochs.js';
import { userFilesIn, userTable } from './people-registry.js';
import { epochFilesIn, robotFilesIn, robotTable } from './robot-registry.js';
import type { TokenFiles } from './token-files.js';
import type { TokenDocument } from './token-store.js';
import type { TokenTable } from './token-table.js';

/**
 * Moves the robots, people and epochs of a folder into a database, once: the files of tokens are renamed to
 * `<name>.json.imported`. Several processes may do it at the same time. What the database already has, or has
 * revoked, stays as it is. Rejects if a file is damaged, or with the errors of {@link Queries}.
 */
export async function importRegistry(
  folder: string,
  queries: Queries,
  { fs, logger }: { readonly fs: FileSystem; readonly logger: Logger },
): Promise<void> {
  const epochs = epochFilesIn(folder, fs);
  const table = new EpochTable(queries);
  for (const [robot, epoch] of await epochs.newest(await epochs.robots())) await table.atLeast(robot, epoch);
  const robots = await move(robotFilesIn(folder, fs), robotTable(queries), ({ robot }) => robot, fs);
  const users = await move(userFilesIn(folder, fs), userTable(queries), ({ user }) => user, fs);
  if (robots + users > 0)
    logger.info('the tokens of the folder are in the database now', { folder, robots, users });
}

async function move<T extends TokenDocument>(
  files: TokenFiles<T>,
  table: TokenTable<T>,
  nameOf: (document: T) => string,
  fs: FileSystem,
): Promise<number> {
  const found = await files.list();
  for (const document of found) {
    const path = files.fileOf(nameOf(document));
    await table.putIfNew(nameOf(document), document);
    await fs.rename(path, `${path}.imported`).catch((error: unknown) => {
      // Another process was faster.
      if (systemCode(error) !== 'ENOENT') throw error;
    });
  }
  return found.length;
}
