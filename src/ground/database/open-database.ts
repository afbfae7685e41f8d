import type { Clock } from '../../core/clock.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import { prepareCluster, type ClusterOptions } from './cluster-folder.js';
import type { Database, PostgresPlace } from './database.js';
import { EmbeddedPostgres } from './embedded-postgres.js';
import { migrate, type Migration } from './migrate.js';
import { PostgresDatabase } from './postgres-database.js';

/** Which database a ground uses. */
export type DatabaseChoice =
  { readonly kind: 'external'; readonly url: string } | ({ readonly kind: 'embedded' } & ClusterOptions);

export interface DatabasePorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A server that starts at the same time as the ground gets so long. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 500;

/** The value of `--database`: `embedded`, `none`, or a URL. Throws `REQUEST_INVALID`. */
export function parseDatabase(text: string): 'embedded' | 'none' | URL {
  if (text === 'embedded' || text === 'none') return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'postgres:' || url?.protocol === 'postgresql:') return url;
  // The value may contain a password.
  throw new HoldfastError(
    'REQUEST_INVALID',
    '--database is not valid, allowed: postgres://..., embedded or none',
    {},
  );
}

/**
 * Opens the database of a ground and brings its schema to the newest step. Closing it also ends an embedded
 * server. Rejects with `GROUND_DATABASE_UNUSABLE`, or with `GROUND_DATABASE_UNREACHABLE` after 30 s.
 */
export async function openDatabase(
  choice: DatabaseChoice,
  migrations: readonly Migration[],
  ports: DatabasePorts,
): Promise<Database> {
  if (choice.kind === 'external') return connect({ url: choice.url }, migrations, ports);
  const server = await EmbeddedPostgres.start(await prepareCluster(choice, ports), ports);
  try {
    const database = await connect(server.place, migrations, ports);
    return endingWith(database, server);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

async function connect(
  place: PostgresPlace,
  migrations: readonly Migration[],
  { clock, logger }: DatabasePorts,
): Promise<Database> {
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    let database: Database | undefined;
    try {
      database = await PostgresDatabase.connect(place, logger);
      await migrate(database, migrations, logger);
      return database;
    } catch (error) {
      await database?.[Symbol.asyncDispose]();
      if (!isHoldfastError(error, 'GROUND_DATABASE_UNREACHABLE') || waitedMs >= PATIENCE_MS) throw error;
      if (waitedMs === 0) logger.warn('waiting for the database', { error: error.message });
    }
    await clock.sleep(RETRY_MS);
  }
}

function endingWith(database: Database, server: AsyncDisposable): Database {
  return {
    address: database.address,
    major: database.major,
    ...(database.place === undefined ? {} : { place: database.place }),
    query: (text, values) => database.query(text, values),
    transaction: (work) => database.transaction(work),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
