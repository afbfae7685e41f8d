import type { Database } from '../../ground/database/database.js';
import type { RegistryPlace } from '../../ground/robot-registry.js';
import type { Invocation } from './command-definition.js';
import { openGroundDatabase } from './open-ground-database.js';

/** Whether other processes may use the same database: robots, people and epochs are then in it. */
export function sharesDatabase({ options }: Pick<Invocation, 'options'>): boolean {
  return !['embedded', 'none'].includes(String(options['database']));
}

/** Where the registries of a ground are, and the database to close afterwards. */
export interface OpenRegistry extends AsyncDisposable {
  readonly place: RegistryPlace;
}

/** For commands beside a ground: opens the database if it is a shared one; otherwise the folder is enough. */
export async function openGroundRegistry(folder: string, invocation: Invocation): Promise<OpenRegistry> {
  const database = sharesDatabase(invocation) ? await openGroundDatabase(folder, invocation) : undefined;
  return {
    place: await registryPlace(folder, database, invocation),
    async [Symbol.asyncDispose]() {
      await database?.[Symbol.asyncDispose]();
    },
  };
}

/** Also imports the files of the folder into a shared database. */
export async function registryPlace(
  folder: string,
  database: Database | undefined,
  invocation: Invocation,
): Promise<RegistryPlace> {
  if (database === undefined || !sharesDatabase(invocation)) return folder;
  const { importRegistry } = await import('../../ground/import-registry.js');
  await importRegistry(folder, database, invocation.ports);
  return database;
}
