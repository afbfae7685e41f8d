import type { Command } from 'commander';
import { userInfo } from 'node:os';
import { dataFolder } from '../../core/data-folder.js';
import { systemCode } from '../../core/errors.js';
import { parseTime, TIME_FORM } from '../../core/parse-time.js';
import type { Store } from '../../core/store.js';
import type { DeletionPlace } from '../../deletion/deletion-place.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';
import { openConfiguredStore } from '../setup/open-configured-store.js';
import type { Invocation } from './command-definition.js';
import { groundClient, type GroundClient } from './ground-client.js';
import { GroundPlace } from './ground-place.js';
import { readKeyring } from './identity-option.js';
import { readingParameters } from './reading-arguments.js';

/** Parameters of commands that change several places at once, which they name with flags of their own. */
export const placeParameters = readingParameters.filter((name) => name !== 'data' && name !== 'store.uri');

/** The flags that name the places. */
export function addPlaces(command: Command): void {
  command
    .option('--data <folder...>', 'data folders')
    .option('--store <uri...>', 'stores: dir:PATH or s3://bucket/prefix');
}

/** The flags that name a robot and a time. */
export function addRobotAndTime(command: Command): void {
  command
    .option('--robot <name>', 'the robot, by its exact name or VIN')
    .option('--from <time>', `first log time (${TIME_FORM})`)
    .option('--to <time>', 'last log time, inclusive');
}

/** Adds a fault for what is missing or wrong. */
export type AddFault = (option: string, value: unknown, allowed: string) => void;

/** Collects faults of options; `check` throws `CONFIG_INVALID` with all of them. */
export function collectFaults(): { readonly add: AddFault; readonly check: () => void } {
  const faults: ConfigFault[] = [];
  return {
    add: (option, value, allowed) => faults.push({ where: `--${option}`, path: option, value, allowed }),
    check: () => {
      if (faults.length > 0) throw configInvalid(faults);
    },
  };
}

/** A text that must be given. */
export function requiredText({ options }: Invocation, name: string, add: AddFault): string {
  const value = options[name];
  if (typeof value === 'string' && value.trim() !== '') return value;
  add(name, value, 'allowed: a text, and it must be given');
  return '';
}

/** The robot and the time of {@link addRobotAndTime}. */
export function robotAndTime(
  invocation: Invocation,
  add: AddFault,
): { readonly robot: string; readonly from: bigint; readonly to: bigint } {
  const robot = requiredText(invocation, 'robot', add);
  const time = (name: 'from' | 'to'): bigint => {
    const value = invocation.options[name];
    const parsed = typeof value === 'string' ? parseTime(value) : undefined;
    if (parsed === undefined) add(name, value, `allowed: ${TIME_FORM}`);
    return parsed ?? 0n;
  };
  const [from, to] = [time('from'), time('to')];
  if (to < from) add('to', invocation.options['to'], 'allowed: a time that is not before --from');
  return { robot, from, to };
}

/** Who runs the command, for records. */
export function runBy({ options, ports }: Invocation): string {
  const given = options['by'];
  if (typeof given === 'string' && given !== '') return given;
  try {
    return `${userInfo().username}@${ports.hostname}`;
  } catch {
    // A container may run as a user without a name.
    return `user ${process.getuid?.() ?? 'unknown'}@${ports.hostname}`;
  }
}

/** The places of {@link addPlaces}, opened. */
export interface OpenPlaces extends AsyncDisposable {
  readonly places: readonly DeletionPlace[];
  /** The robot with a name, or with a VIN in a manifest of the places. Throws `CONFIG_INVALID` if several have it. */
  readonly robotNamed: (given: string) => Promise<string>;
}

/**
 * Opens the places. For a deletion, the lake of each store that has one is a place of its own, and so is a ground. Throws
 * `CONFIG_INVALID` if no place is given, or a folder is not a data folder.
 */
export async function openPlaces(
  invocation: Invocation,
  { isDeletion = false }: { readonly isDeletion?: boolean } = {},
): Promise<OpenPlaces> {
  const { options, ports, stop } = invocation;
  const { FolderPlace } = await import('../../deletion/folder-place.js');
  const { StorePlace } = await import('../../deletion/store-place.js');
  const { LakePlace } = await import('../../jobs/lake/lake-place.js');
  const { lakeForms } = await import('../../jobs/lake/lake-state.js');
  const resolved = invocation.resolve('sync');
  if (resolved.faults.length > 0) throw configInvalid(resolved.faults);
  const { add, check } = collectFaults();
  const folders = (options['data'] as readonly string[] | undefined) ?? [];
  const uris = (options['store'] as readonly string[] | undefined) ?? [];
  if (folders.length + uris.length === 0 && !(isDeletion && options['ground'] !== undefined))
    add(
      'data',
      undefined,
      `give at least one place with --data${isDeletion ? ', --store or --ground' : ' or --store'}`,
    );
  for (const folder of folders) {
    const stats = await ports.fs.stat(dataFolder(folder).sealed).catch((error: unknown) => systemCode(error));
    if (typeof stats !== 'object') add('data', folder, 'allowed: a data folder, with sealed/ in it');
  }
  check();
  const keys = { keyring: await readKeyring(invocation), random: ports.random };
  const scratch = lazyScratch();
  const ground =
    isDeletion && typeof options['ground'] === 'string' ? await openGround(invocation) : undefined;
  const stores: Store[] = [];
  for (const uri of new Set(uris)) stores.push(await openConfiguredStore(uri, resolved, ports));
  const lakes = new Set<Store>();
  for (const store of isDeletion ? stores : [])
    if ((await lakeForms(store, stop.signal)).length > 0) lakes.add(store);
  return {
    places: [
      ...[...new Set(folders)].map((folder) => new FolderPlace(ports.fs, dataFolder(folder), keys)),
      ...stores.flatMap((store) => [
        new StorePlace(store, stop.signal, { fs: ports.fs, ...keys, scratch: scratch.open }),
        ...(lakes.has(store) ? [new LakePlace(store, stop.signal, ports)] : []),
      ]),
      ...(ground === undefined ? [] : [new GroundPlace(ground, ports.clock)]),
    ],
    robotNamed: async (given) => {
      const { FilePool } = await import('../../recordings/file-readable.js');
      const { listRows } = await import('../../recordings/list-segments.js');
      const { robotNamed } = await import('../../recordings/robots-of-vins.js');
      await using files = new FilePool(ports.fs);
      const quiet = { files, onProblem: () => undefined, signal: stop.signal };
      return await robotNamed(given, async function* () {
        for (const folder of folders) yield* listRows({ kind: 'data', folder: dataFolder(folder) }, quiet);
        for (const store of stores) yield* listRows({ kind: 'store', store }, quiet);
      });
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
      await scratch.close();
    },
  };
}

/** A deletion of a long time takes the database a while. */
const GROUND_TIMEOUT_MS = 600_000;

function openGround(invocation: Invocation): Promise<GroundClient> {
  const named = { url: 'ground', tokenFile: 'groundTokenFile' } as const;
  return groundClient(invocation, { ...named, timeoutMs: GROUND_TIMEOUT_MS });
}

/** A folder for what is sent to a store, made when it is needed. */
function lazyScratch(): { readonly open: () => Promise<string>; readonly close: () => Promise<void> } {
  let opening: Promise<AsyncDisposable & { readonly path: string }> | undefined;
  return {
    open: async () => {
      const { openScratchFolder } = await import('../../host/scratch-folder.js');
      opening ??= openScratchFolder('delete');
      return (await opening).path;
    },
    close: async () => (await opening)?.[Symbol.asyncDispose](),
  };
}
