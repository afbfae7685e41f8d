import { Option, type Command } from 'commander';
import { flagName, type Parameter } from '../../settings/parameter.js';
import { parameterNamed, type ParameterName } from '../../settings/parameter-table.js';
import type { RawFlags } from '../../settings/resolve.js';

const groups: readonly (readonly [pattern: RegExp, title: string])[] = [
  [/^(data|more_data|sources|robot|topics|types|rules|max_channels|store|sinks)/, 'Options:'],
  [/^(queue|batch|durability)/, 'Buffering and durability:'],
  [/^(segment|seal|latched)/, 'Segments:'],
  [/^(retention|ballast)/, 'Disk space:'],
  [/^s3\./, 'S3:'],
  [/^(upload|link|poll|housekeeping)/, 'Uploads and link:'],
  [/^(web|metrics|foxglove|alerts)/, 'Watching:'],
  [/^log/, 'General:'],
];

/** Defaults that a command has in place of those of the table, as its help shows them. */
export type ShownDefaults = Readonly<Partial<Record<ParameterName, string>>>;

/**
 * Adds the flags of parameters to a command. Values are not parsed here, because all faults are reported
 * together later.
 */
export function addParameterFlags(
  command: Command,
  names: readonly ParameterName[],
  defaults: ShownDefaults = {},
): void {
  for (const name of names) {
    const parameter = parameterNamed(name);
    const shown = defaults[name] ?? String(parameter.default ?? '');
    for (const option of optionsOf(name, parameter, shown)) command.addOption(option);
  }
}

/** The given values. */
export function parameterFlags(command: Command, names: readonly ParameterName[]): RawFlags {
  const given: Partial<Record<ParameterName, unknown>> = {};
  for (const name of names) {
    const attribute = new Option(`--${flagName(name, parameterNamed(name))}`).attributeName();
    const value: unknown = command.getOptionValue(attribute);
    if (value !== undefined) given[name] = value;
  }
  // Other commands work on one data folder: several are a fault, like any other wrong value.
  return names.includes('more_data') ? spreadData(given) : given;
}

/** `--data` given several times: the first is the parameter `data`, the others are `more_data`. */
function collect(value: string, before: string | readonly string[] | undefined): string | readonly string[] {
  return before === undefined ? value : [...(typeof before === 'string' ? [before] : before), value];
}

/** The given values, for a command with several data folders. */
function spreadData(given: Partial<Record<ParameterName, unknown>>): RawFlags {
  const { data } = given;
  if (!Array.isArray(data)) return given;
  const [first, ...more] = data as readonly string[];
  const others = (given.more_data ?? []) as readonly string[];
  return { ...given, data: first, more_data: [...more, ...others] };
}

/** The same flags as arguments of another process. */
export function flagArguments(flags: RawFlags, names: readonly ParameterName[]): string[] {
  return names.flatMap((name) => {
    const value = flags[name];
    const flag = flagName(name, parameterNamed(name));
    if (value === undefined) return [];
    if (value === true) return [`--${flag}`];
    if (value === false) return [`--no-${flag}`];
    return (Array.isArray(value) ? value : [value]).map((one) => `--${flag}=${String(one)}`);
  });
}

function optionsOf(name: ParameterName, parameter: Parameter, standard: string): Option[] {
  const flag = flagName(name, parameter);
  const group = groups.find(([pattern]) => pattern.test(name))?.[1] ?? 'Options:';
  if (parameter.toggle) {
    const positive = new Option(`--${flag}`, parameter.description);
    const negative = new Option(`--no-${flag}`, parameter.description);
    (parameter.default === true ? positive : negative).hideHelp();
    return [positive.helpGroup(group), negative.helpGroup(group)];
  }
  const form = parameter.list ? `<${parameter.placeholder}...>` : `<${parameter.placeholder}>`;
  const hint = standard === '' ? '' : ` (default: ${standard})`;
  const option = new Option(`--${flag} ${form}`, parameter.description + hint).helpGroup(group);
  return [name === 'data' ? option.argParser(collect) : option];
}
