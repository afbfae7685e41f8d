import { HoldfastError } from '../../core/errors.js';
import type { Database } from '../../ground/database/database.js';
import type { Invocation } from './command-definition.js';

/** Opens the database of a ground by its options; undefined: it runs without one. */
export async function openGroundDatabase(
  folder: string,
  { options, ports, logger }: Invocation,
): Promise<Database | undefined> {
  const { openDatabase, parseDatabase } = await import('../../ground/database/open-database.js');
  const { migrations } = await import('../../ground/database/migrations.js');
  const where = parseDatabase(String(options['database']));
  const user = options['databaseUser'] as string | undefined;
  if (where !== 'embedded' && user !== undefined) {
    throw new HoldfastError('REQUEST_INVALID', '--database-user is only for --database embedded', {
      facts: { databaseUser: user },
    });
  }
  if (where === 'none') {
    logger.warn('there is no database: nothing is kept');
    return undefined;
  }
  if (where === 'embedded') return openDatabase({ kind: 'embedded', folder, user }, migrations, ports);
  return openDatabase({ kind: 'external', url: where.href }, migrations, ports);
}
