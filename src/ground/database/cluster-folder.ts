import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeDirectoryDurably, readFileIfPresent, syncDirectory } from '../../core/durable-files.js';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import { present } from '../../core/present.js';
import { findUser, isRoot, type SystemUser } from '../../host/system-user.js';
import { ownUserId } from '../../host/user-id.js';
import { findPrograms, GIVEN_FOLDER, type PostgresPrograms } from './postgres-programs.js';

/** The superuser of the embedded database; only this machine's owner of the socket reaches it. */
export const DATABASE_USER = 'holdfast';

const DEFAULT_USER = 'nobody';
/** In the name of the socket only: the server listens on no port. */
export const PORT = 5432;

export interface ClusterOptions {
  /** The ground's folder. */
  readonly folder: string;
  /** For root: the user who runs PostgreSQL, which refuses to run as root. Default: `nobody`. */
  readonly user: string | undefined;
}

/** A database on disk, ready to be started. */
export interface Cluster {
  /** `database/` in the ground's folder. */
  readonly root: string;
  /** PostgreSQL's data folder. */
  readonly data: string;
  readonly socketFolder: string;
  readonly programs: PostgresPrograms;
  /** Undefined: the user of this process. */
  readonly user: SystemUser | undefined;
}

/**
 * Makes `database/` in the ground's folder and, the first time, a PostgreSQL database in it. Rejects with
 * `GROUND_DATABASE_UNUSABLE`.
 */
export async function prepareCluster(
  { folder, user: wanted }: ClusterOptions,
  { fs, logger }: { readonly fs: FileSystem; readonly logger: Logger },
): Promise<Cluster> {
  const root = resolve(folder, 'database');
  const [data, socketFolder] = [join(root, 'cluster'), join(root, 'socket')];
  const user = await chooseUser(fs, data, wanted);
  await makeDirectoryDurably(fs, root);
  await makeOwned(fs, root, user);
  const { programs, refused } = await findPrograms({ fs, user, root });
  const chosen = await chooseVersion(fs, data, programs, refused);
  if (!(await isInitialised(fs, data))) {
    logger.info('creating the database', { folder: data, major: chosen.major });
    await initialise(fs, root, data, chosen, user);
  }
  await makeOwned(fs, socketFolder, user);
  return { root, data, socketFolder, programs: chosen, user };
}

/** Undefined: the user of this process. */
async function chooseUser(
  fs: FileSystem,
  data: string,
  wanted: string | undefined,
): Promise<SystemUser | undefined> {
  const owner = await fs.stat(data).catch(() => undefined);
  if (!isRoot()) {
    if (wanted !== undefined)
      throw unusable(`--database-user is "${wanted}": only root can run PostgreSQL as another user`);
    if (owner !== undefined && owner.uid !== ownUserId())
      throw unusable(
        `${data} belongs to user ${owner.uid}, and this process is user ${ownUserId()}: start the ground as root or as that user`,
      );
    return undefined;
  }
  // A database that another user created keeps its owner.
  if (owner !== undefined && wanted === undefined)
    return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  const name = wanted ?? DEFAULT_USER;
  const user = await findUser(fs, name);
  if (user === undefined || user.uid === 0)
    throw unusable(`--database-user is "${name}", allowed: a user of /etc/passwd other than root`);
  if (owner !== undefined && owner.uid !== user.uid)
    throw unusable(
      `${data} belongs to user ${owner.uid}, and --database-user is "${name}": leave that option out`,
    );
  return user;
}

async function chooseVersion(
  fs: FileSystem,
  data: string,
  programs: readonly PostgresPrograms[],
  refused: readonly string[],
): Promise<PostgresPrograms> {
  const version = await readFileIfPresent(fs, join(data, 'PG_VERSION'));
  const major = version === undefined ? undefined : Number(version.toString('utf8'));
  const [newest] = programs;
  if (newest === undefined)
    throw unusable(`there is no PostgreSQL (${refused.join('; ')}): install the package postgresql`);
  if (major === undefined) return newest;
  const fitting = programs.find((one) => one.major === major);
  if (fitting !== undefined) return fitting;
  const have = programs.map((one) => one.major).join(', ');
  throw unusable(
    `PostgreSQL ${major} created ${data}, and this machine has ${have}: install PostgreSQL ${major}, or move ` +
      'the content with pg_dump and psql (docs/ground.md)',
  );
}

async function isInitialised(fs: FileSystem, data: string): Promise<boolean> {
  return (await readFileIfPresent(fs, join(data, 'PG_VERSION'))) !== undefined;
}

/** Under another name first: a start that was killed leaves nothing that looks whole. */
async function initialise(
  fs: FileSystem,
  root: string,
  data: string,
  { initdb, env }: PostgresPrograms,
  user: SystemUser | undefined,
): Promise<void> {
  const unfinished = join(root, 'cluster.new');
  await fs.rm(unfinished, { recursive: true, force: true });
  const how = [
    '--auth-local=trust',
    '--auth-host=reject',
    '--encoding=UTF8',
    '--locale=C',
    '--data-checksums',
  ];
  const args = ['-D', join(GIVEN_FOLDER, 'cluster.new'), '-U', DATABASE_USER, ...how, '--no-instructions'];
  const given = await fs.open(root, 'r');
  try {
    const child = spawn(initdb, args, {
      ...{ env, cwd: root, stdio: ['ignore', 'ignore', 'pipe', given.fd], ...identityOf(user) },
    });
    let said = '';
    present(child.stderr).on('data', (text: Buffer) => (said = `${said}${text.toString()}`.slice(-1_000)));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw unusable(`initdb failed in ${root}: ${said.trim().split('\n').join(' ')}`);
  } finally {
    await given.close();
  }
  await fs.rename(unfinished, data);
  await syncDirectory(fs, root);
}

async function makeOwned(fs: FileSystem, folder: string, user: SystemUser | undefined): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  if (user !== undefined) await chown(folder, user.uid, user.gid);
}

/** For the start of a process. */
export function identityOf(user: SystemUser | undefined): { readonly uid?: number; readonly gid?: number } {
  return user === undefined ? {} : { uid: user.uid, gid: user.gid };
}

function unusable(message: string): HoldfastError {
  return new HoldfastError('GROUND_DATABASE_UNUSABLE', message);
}
