import { parameterNamesFor, parameterTable, type ParameterName } from '../../settings/parameter-table.js';
import { isParameterName } from '../../settings/parameter-table.js';
import { toggle, type Parameter, type RawValue, type Role } from '../../settings/parameter.js';
import { profileDefaults, profileOf } from '../../settings/profile.js';
import { resolve, type Resolved } from '../../settings/resolve.js';
import { show, type ConfigFault } from '../../settings/fault.js';
import { suggest } from '../../settings/suggest.js';
import type { RosParameter } from './parameter-set.js';
import { normalized } from './ros-value.js';

/** Declared by every ROS node, or read only by the client library. */
const FOREIGN = /^(start_type_description_service$|qos_overrides\.)/;

/** Parameters that only the node has. */
const nodeParameters = {
  both: {
    use_sim_time: toggle({
      role: 'both',
      default: false,
      description: 'Goes by the topic /clock instead of the system clock.',
    }),
  },
  recorder: {
    managed: toggle({
      role: 'recorder',
      default: false,
      description: 'Is a lifecycle node: configured, activated and so on from outside.',
    }),
    autostart: toggle({
      role: 'recorder',
      default: false,
      description: 'Where managed: configures and activates itself at the start.',
    }),
  },
  sync: {},
} as const;

/** The values at the start of a node. */
export interface StartValues {
  readonly parameters: ReadonlyMap<string, RosParameter>;
  readonly initial: ReadonlyMap<string, RawValue>;
  /** Given names, in the arguments or as a default of this node. */
  readonly given: ReadonlySet<string>;
  /** Values that are not allowed. */
  readonly faults: readonly ConfigFault[];
  /** One sentence for each unknown name. */
  readonly unknown: readonly string[];
}

/**
 * Checks the parameters in a node's ROS arguments. `defaults` are the node's own, if those of the table do
 * not fit a node. Parameters of the other role are accepted and ignored: one file may serve both nodes.
 */
export function startValues(
  role: Role,
  overrides: ReadonlyMap<string, unknown>,
  defaults: Readonly<Partial<Record<ParameterName, RawValue>>>,
  isLive: (name: string) => boolean,
): StartValues {
  const rows = new Map<string, Parameter>([
    ...parameterNamesFor(role).map((name) => [name, parameterTable[name] as Parameter] as const),
    ...Object.entries(nodeParameters.both),
    ...Object.entries(nodeParameters[role]),
  ]);
  const initial = new Map<string, RawValue>();
  const given = new Set<string>(Object.keys(defaults));
  const faults: ConfigFault[] = [];
  const profile = profileDefaults[profileOf(overrides.get('profile'))];
  for (const [name, row] of rows) {
    const standard = defaults[name as ParameterName] ?? profile[name] ?? row.default;
    const fallback = standard === undefined ? undefined : normalized(row, standard);
    if (fallback !== undefined) initial.set(name, fallback);
    if (!overrides.has(name)) continue;
    const raw = overrides.get(name);
    const value = normalized(row, raw);
    given.add(name);
    if (value !== undefined) initial.set(name, value);
    else faults.push({ where: ORIGIN, path: name, value: raw, allowed: `allowed: ${row.allowed}` });
  }
  const names = [...rows.keys()];
  const unknown = [...overrides]
    .filter(([name]) => !rows.has(name) && !isParameterName(name) && !FOREIGN.test(name))
    .filter(([name]) => !isOfOtherRole(name))
    .map(([name, raw]) => {
      const meant = suggest(name, names);
      return `${name} (${show(raw)}) is not a parameter of this node${meant === undefined ? '' : `; did you mean ${meant}?`}`;
    });
  return {
    parameters: new Map([...rows].map(([name, row]) => [name, { row, live: isLive(name) }])),
    initial,
    given,
    faults,
    unknown,
  };
}

const ORIGIN = 'ROS parameter';

function isOfOtherRole(name: string): boolean {
  return Object.hasOwn(nodeParameters.recorder, name);
}

/**
 * The table's part of a node's values, in the form that the rest of the product uses. A missing value has its
 * default. ROS' own parameter for simulated time also applies to the source `ros:`.
 */
export function resolvedValues(
  role: Role,
  values: ReadonlyMap<string, RawValue>,
  given: ReadonlySet<string>,
  faults: readonly ConfigFault[] = [],
): Resolved {
  const simTime =
    role === 'recorder' && values.get('use_sim_time') === true && !given.has('ros.use_sim_time');
  const entries = [
    ...(simTime ? ([{ role, name: 'ros.use_sim_time', raw: true, where: ORIGIN }] as const) : []),
    ...[...values].flatMap(([name, raw]) =>
      given.has(name) && isParameterName(name) ? [{ role, name, raw, where: ORIGIN }] : [],
    ),
  ];
  return resolve(role, { entries, faults }, {});
}
