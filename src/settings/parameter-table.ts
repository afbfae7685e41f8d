import { encryptionParameters } from './encryption-parameters.js';
import { groundParameters } from './ground-parameters.js';
import { logFileParameters, monitorParameters } from './monitor-parameters.js';
import { profiles } from './profile.js';
import { recorderParameters } from './recorder-parameters.js';
import { rosParameters } from './ros-parameters.js';
import { syncParameters } from './sync-parameters.js';
import { choice, flagName, text, type Parameter, type Role } from './parameter.js';

const sharedParameters = {
  data: text(
    {
      role: 'both',
      default: 'data',
      placeholder: 'folder',
      description:
        'The data folder: WAL, sealed segments and the state of both processes. Use a local disk with room; ' +
        'recorder and sync of one robot share one folder.',
    },
    'a path',
    (value) => value !== '',
  ),
  profile: choice(
    {
      role: 'both',
      default: 'standard',
      description:
        'Set of defaults: small is for machines with little memory, such as a Raspberry Pi (docs/small.md). ' +
        'A parameter that is set wins over the profile.',
    },
    profiles,
  ),
  'log.level': choice(
    { role: 'both', default: 'info', description: 'Least important level that is logged to standard error.' },
    ['debug', 'info', 'warn', 'error'],
  ),
  'log.format': choice(
    { role: 'both', default: 'text', description: 'Log lines for people (text) or machines (json).' },
    ['text', 'json'],
  ),
} as const;

/**
 * Every parameter of Holdfast. config/holdfast.yaml, the command line flags, docs/parameters.md and the ROS
 * parameter descriptors are made from this table; a test keeps them in step.
 */
export const parameterTable = {
  ...sharedParameters,
  ...logFileParameters,
  ...recorderParameters,
  ...encryptionParameters,
  ...rosParameters,
  ...syncParameters,
  ...monitorParameters,
  ...groundParameters,
} as const;

export type ParameterName = keyof typeof parameterTable;

/** The parsed value of every parameter. */
export type ParameterValues = {
  readonly [Name in ParameterName]: (typeof parameterTable)[Name] extends Parameter<infer T> ? T : never;
};

export const parameterNames = Object.keys(parameterTable) as readonly ParameterName[];

export function parameterNamed(name: ParameterName): Parameter {
  return parameterTable[name];
}

export function isParameterName(name: string): name is ParameterName {
  return Object.hasOwn(parameterTable, name);
}

/** The parameters of a process. */
export function parameterNamesFor(role: Role): readonly ParameterName[] {
  return parameterNames.filter((name) => {
    const owner = parameterTable[name].role;
    return owner === 'both' || owner === role;
  });
}

/** The parameter of a flag (without dashes), for either process. */
export function parameterOfFlag(flag: string): ParameterName | undefined {
  return parameterNames.find((name) => flagName(name, parameterTable[name]) === flag);
}
