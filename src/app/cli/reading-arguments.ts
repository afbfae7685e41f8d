import { join } from 'node:path';
import type { Command } from 'commander';
import type { FileSystem } from '../../core/file-system.js';
import { keepingRoom } from '../../core/space-limits.js';
import type { Store } from '../../core/store.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';
import { parameterNames, type ParameterName } from '../../settings/parameter-table.js';
import type { Keyring } from '../../encryption/keyring.js';
import type { FilePool } from '../../recordings/file-readable.js';
import type { Located } from '../../recordings/locate.js';
import { parseMessageFilter, type MessageFilter, type RobotFilter } from '../../recordings/message-filter.js';
import type { OpenCatalogue, Problem, Segment, SegmentPorts } from '../../recordings/segments.js';
import { addIdentityFlag, readKeyring } from './identity-option.js';
import type { Invocation } from './command-definition.js';
import { printable } from '../../host/human.js';
import { openConfiguredStore } from '../setup/open-configured-store.js';
import { TIME_FORM } from '../../core/parse-time.js';

/** Parameters of commands that read recordings. */
export const readingParameters: readonly ParameterName[] = parameterNames.filter((name) =>
  /^(data$|store\.uri$|s3\.|log)/.test(name),
);

export const FROM_HELP =
  'data folder, store (dir:, s3:, azure: or sftp: URI), MCAP file or folder of them (default: --data)';

/** The flags that select messages. */
export function addMessageFilter(command: Command): void {
  command
    .argument('[from]', FROM_HELP)
    .option('--topic <name...>', 'only these topics; * stands for any text')
    .option('--type <name...>', 'only these types, such as sensor_msgs/msg/Imu')
    .option('--only-robot <name...>', 'only these robots, by name or VIN')
    .option('--after <time>', `only messages logged at or after this (${TIME_FORM})`)
    .option('--before <time>', 'only messages logged at or before this');
  addCacheFlag(command);
}

/** For commands that read stores. */
export function addCacheFlag(command: Command): void {
  command.option('--no-cache', 'read every manifest of a store, without the cache');
  addIdentityFlag(command);
}

/** The selection. Throws `CONFIG_INVALID` with all faults. */
export function messageFilter({ options }: Invocation): MessageFilter {
  const faults: ConfigFault[] = [];
  const filter = parseMessageFilter(
    {
      topics: options['topic'],
      types: options['type'],
      robots: options['onlyRobot'],
      from: options['after'],
      to: options['before'],
    },
    (which, value) => {
      const option = which === 'from' ? 'after' : 'before';
      faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${TIME_FORM}` });
    },
  );
  if (faults.length > 0) throw configInvalid(faults);
  return filter;
}

/** Maximum number of problems kept for the report. */
const MAX_PROBLEMS = 1000;

type SegmentFilter = NonNullable<SegmentPorts['filter']>;

/** A recording opened for reading, in any place. */
export interface Reading extends AsyncDisposable {
  readonly from: string;
  readonly located: Located;
  readonly files: FilePool;
  /** For output made from the recording: it stops before it takes room from a recording. */
  readonly copyFs: FileSystem;
  /** With `--store` beside a data folder: the store for evicted segments. */
  readonly store: Store | undefined;
  /** All reported problems, at most {@link MAX_PROBLEMS}. */
  readonly problems: readonly Problem[];
  /** Reports a problem on standard error at once. */
  readonly onProblem: (problem: Problem) => void;
  /** Opens the cache of a store's manifests, unless `--no-cache` forbids it. */
  readonly openCatalogue: OpenCatalogue;
  /** The identities of `--identity`. */
  readonly keyring: Keyring;
  /** Names and VINs as a filter of the recording: VINs are looked up in its manifests. */
  robotsNamed(given: readonly string[] | undefined): Promise<RobotFilter>;
  /** Without segments whose manifest has none of these robots and times. */
  segments(filter?: SegmentFilter, onProblem?: (problem: Problem) => void): Promise<Segment[]>;
}

/**
 * Opens the place in the first argument; without one the data folder, or with `storeAlone` the store in
 * `--store`.
 */
export async function openReading(
  invocation: Invocation,
  { storeAlone = false }: { readonly storeAlone?: boolean } = {},
): Promise<Reading> {
  const { ports, terminal, stop } = invocation;
  // Loaded on use: `holdfast status` needs none of it.
  const { FilePool } = await import('../../recordings/file-readable.js');
  const { locate } = await import('../../recordings/locate.js');
  const { listSegments } = await import('../../recordings/segments.js');
  const resolved = invocation.resolve('sync');
  if (resolved.faults.length > 0) throw configInvalid(resolved.faults);
  const uri = resolved.values['store.uri'];
  const from = invocation.args[0] ?? (storeAlone && uri !== '' ? uri : resolved.values.data);
  const keyring = await readKeyring(invocation);
  const files = new FilePool(ports.fs);
  const openStore = (uri: string): Promise<Store> => openConfiguredStore(uri, resolved, ports);
  const located = await locate(from, { fs: ports.fs, logger: ports.logger, openStore });
  const store = !storeAlone && located.kind === 'data' && uri !== '' ? await openStore(uri) : undefined;
  const openCatalogue: OpenCatalogue = async (of) => {
    if (invocation.options['cache'] === false) return undefined;
    const { openCatalogueCache } = await import('../../recordings/catalogue/catalogue-cache.js');
    const { userCacheFolder } = await import('../../host/cache-folder.js');
    const id = await of.readId({ signal: stop.signal });
    const folder = join(userCacheFolder(), 'catalogue');
    return id === undefined ? undefined : openCatalogueCache(ports.fs, ports.logger, folder, id);
  };
  const problems: Problem[] = [];
  const onProblem = (problem: Problem): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
    terminal.note(`holdfast: ${printable(problem.where)}: ${printable(problem.reason)}\n`);
  };
  return {
    from,
    located,
    files,
    copyFs: keepingRoom(ports.fs, located.kind === 'data' ? [located.folder.root] : []),
    store,
    problems,
    onProblem,
    openCatalogue,
    keyring,
    robotsNamed: async (given) => {
      const { robotsOfVins } = await import('../../recordings/robots-of-vins.js');
      const { listRows } = await import('../../recordings/list-segments.js');
      const quiet = { files, onProblem: () => undefined, signal: stop.signal, openCatalogue };
      return robotsOfVins(given, async function* () {
        yield* listRows(located, quiet);
        if (store) yield* listRows({ kind: 'store', store }, quiet);
      });
    },
    segments: (filter = {}, onListed = onProblem) =>
      listSegments(located, {
        ...{ files, onProblem: onListed, signal: stop.signal, filter, openCatalogue, keyring },
        ...(store ? { store } : {}),
      }),
    async [Symbol.asyncDispose]() {
      await files[Symbol.asyncDispose]();
      await store?.[Symbol.asyncDispose]();
      if (located.kind === 'store') await located.store[Symbol.asyncDispose]();
    },
  };
}
