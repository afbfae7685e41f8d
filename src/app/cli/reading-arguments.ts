import { join } from 'node:path';
import type { Command } from 'commander';
import type { Store } from '../../core/store.js';
import { configInvalid, type ConfigFault } from '../parameters/fault.js';
import { parameterNames, type ParameterName } from '../parameters/parameter-table.js';
import type { FilePool } from '../reading/file-readable.js';
import type { Located } from '../reading/locate.js';
import type { MessageFilter } from '../reading/message-filter.js';
import type { OpenCatalogue, Problem, Segment } from '../reading/segments.js';
import type { Invocation } from './command-definition.js';
import { printable } from './human.js';
import { openConfiguredStore } from './open-configured-store.js';
import { parseTime, TIME_FORM } from './parse-time.js';

/** What commands that read recordings take from the parameter table. */
export const readingParameters: readonly ParameterName[] = parameterNames.filter((name) =>
  /^(data$|store\.uri$|s3\.|log)/.test(name),
);

export const FROM_HELP =
  'data folder, store (dir:PATH, s3://bucket/prefix), MCAP file or folder of them (default: --data)';

/** The flags that choose messages. */
export function addMessageFilter(command: Command): void {
  command
    .argument('[from]', FROM_HELP)
    .option('--topic <name...>', 'only these topics; * stands for any text')
    .option('--type <name...>', 'only these types, such as sensor_msgs/msg/Imu')
    .option('--only-robot <name...>', 'only these robots')
    .option('--after <time>', `only messages logged at or after this (${TIME_FORM})`)
    .option('--before <time>', 'only messages logged at or before this');
  addCacheFlag(command);
}

/** For commands that read stores. */
export function addCacheFlag(command: Command): void {
  command.option('--no-cache', 'read every manifest of a store, and remember none');
}

/** What was chosen. Throws `CONFIG_INVALID` with all faults. */
export function messageFilter({ options }: Invocation): MessageFilter {
  const faults: ConfigFault[] = [];
  const names = (option: string): readonly string[] | undefined =>
    options[option] as readonly string[] | undefined;
  const time = (option: 'after' | 'before'): bigint | undefined => {
    const text = options[option] as string | undefined;
    const value = text === undefined ? undefined : parseTime(text);
    if (text !== undefined && value === undefined) {
      faults.push({ where: `--${option}`, path: option, value: text, allowed: `allowed: ${TIME_FORM}` });
    }
    return value;
  };
  const [topics, types, robots] = [names('topic'), names('type'), names('onlyRobot')];
  const [from, to] = [time('after'), time('before')];
  if (faults.length > 0) throw configInvalid(faults);
  return {
    ...(topics && { topics }),
    ...(types && { types }),
    ...(robots && { robots }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
}

/** Problems that are remembered to be reported. */
const MAX_PROBLEMS = 1000;

/** A recording opened for reading, wherever it lies. */
export interface Reading extends AsyncDisposable {
  readonly from: string;
  readonly located: Located;
  readonly files: FilePool;
  /** With `--store` beside a data folder: where evicted segments can be read. */
  readonly store: Store | undefined;
  /** Everything that was said, at most {@link MAX_PROBLEMS}. */
  readonly problems: readonly Problem[];
  /** Says a problem on standard error at once. */
  readonly onProblem: (problem: Problem) => void;
  /** Opens what is remembered of a store's manifests, unless `--no-cache` forbids it. */
  readonly openCatalogue: OpenCatalogue;
  /** Without those whose manifest says that they hold nothing of these robots and times. */
  segments(filter?: Pick<MessageFilter, 'robots' | 'from' | 'to'>): Promise<Segment[]>;
}

/**
 * Opens what the first argument names; without one the data folder, or with `storeAlone` the store where
 * `--store` names one.
 */
export async function openReading(
  invocation: Invocation,
  { storeAlone = false }: { readonly storeAlone?: boolean } = {},
): Promise<Reading> {
  const { ports, terminal, stop } = invocation;
  // Loaded on use: `holdfast status` needs none of it.
  const { FilePool } = await import('../reading/file-readable.js');
  const { locate } = await import('../reading/locate.js');
  const { listSegments } = await import('../reading/segments.js');
  const resolved = invocation.resolve('sync');
  if (resolved.faults.length > 0) throw configInvalid(resolved.faults);
  const uri = resolved.values['store.uri'];
  const from = invocation.args[0] ?? (storeAlone && uri !== '' ? uri : resolved.values.data);
  const files = new FilePool(ports.fs);
  const openStore = (uri: string): Promise<Store> => openConfiguredStore(uri, resolved, ports);
  const located = await locate(from, { fs: ports.fs, logger: ports.logger, openStore });
  const store = !storeAlone && located.kind === 'data' && uri !== '' ? await openStore(uri) : undefined;
  const openCatalogue: OpenCatalogue = async (of) => {
    if (invocation.options['cache'] === false) return undefined;
    const { openCatalogueCache } = await import('../catalogue/catalogue-cache.js');
    const { userCacheFolder } = await import('../system/cache-folder.js');
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
    store,
    problems,
    onProblem,
    openCatalogue,
    segments: (filter = {}) =>
      listSegments(located, {
        files,
        onProblem,
        signal: stop.signal,
        filter,
        openCatalogue,
        ...(store ? { store } : {}),
      }),
    async [Symbol.asyncDispose]() {
      await files[Symbol.asyncDispose]();
      await store?.[Symbol.asyncDispose]();
      if (located.kind === 'store') await located.store[Symbol.asyncDispose]();
    },
  };
}
