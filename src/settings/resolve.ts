import type { ConfigFile } from './config-file.js';
import type { ConfigFault } from './fault.js';
import { flagName, type Role } from './parameter.js';
import { profileDefaults, profileOf, type Profile } from './profile.js';
import {
  isParameterName,
  parameterNamed,
  parameterNames,
  type ParameterName,
  type ParameterValues,
} from './parameter-table.js';

/** Replaces a value that may hold a secret. */
export const HIDDEN = '(not shown)';

/** Flags of the command line, by parameter name. */
export type RawFlags = Readonly<Partial<Record<ParameterName, unknown>>>;

/** Values of all parameters for one process, with their origins. */
export interface Resolved {
  readonly values: ParameterValues;
  /** The same values as they were given; absent: no default, and not given. */
  readonly raw: Readonly<Partial<Record<ParameterName, unknown>>>;
  /** `default`, `holdfast.yaml:12` or `--flag`. */
  readonly origin: Readonly<Record<ParameterName, string>>;
  readonly faults: readonly ConfigFault[];
}

/**
 * Flags over file over defaults (those of the profile first), for one role. Inside the file, the role's own section
 * overrides `/**`. All of the file is checked, including the other role's section. A wrong value is reported and its default used,
 * so that further faults are found.
 */
export function resolve(role: Role, file: ConfigFile | undefined, flags: RawFlags): Resolved {
  const faults: ConfigFault[] = [...(file?.faults ?? [])];
  const values: Partial<Record<ParameterName, unknown>> = {};
  const given: Partial<Record<ParameterName, unknown>> = {};
  const origin: Partial<Record<ParameterName, string>> = {};

  const set = (name: ParameterName, raw: unknown, where: string, applies: boolean): void => {
    const parameter = parameterNamed(name);
    const value = parameter.parse(raw);
    if (value === undefined) {
      const value = parameter.secret === true ? HIDDEN : raw;
      faults.push({ where, path: name, value, allowed: `allowed: ${parameter.allowed}` });
    } else if (applies) {
      values[name] = value;
      given[name] = raw;
      origin[name] = where;
    }
  };

  const standard: Readonly<Record<string, unknown>> = profileDefaults[chosenProfile(role, file, flags)];
  for (const name of parameterNames) {
    set(name, standard[name] ?? parameterNamed(name).default, 'default', true);
  }
  for (const section of ['both', role === 'recorder' ? 'sync' : 'recorder', role] as const) {
    for (const entry of file?.entries ?? []) {
      if (entry.role !== section) continue;
      const isRead =
        section === 'both' || section === role || parameterNamed(entry.name).isReadByBoth === true;
      set(entry.name, entry.raw, entry.where, isRead);
    }
  }
  for (const [name, raw] of Object.entries(flags)) {
    if (raw === undefined || !isParameterName(name)) continue;
    set(name, raw, `--${flagName(name, parameterNamed(name))}`, true);
  }
  return {
    values: Object.freeze(values) as ParameterValues,
    raw: Object.freeze(given),
    origin: Object.freeze(origin) as Record<ParameterName, string>,
    faults,
  };
}

/** The profile, by the same precedence. */
function chosenProfile(role: Role, file: ConfigFile | undefined, flags: RawFlags): Profile {
  const entries = (file?.entries ?? []).filter(({ name }) => name === 'profile');
  const inFile =
    entries.findLast((entry) => entry.role === role) ?? entries.findLast((entry) => entry.role === 'both');
  return profileOf(flags.profile ?? inFile?.raw);
}
