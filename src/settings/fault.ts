import { HoldfastError } from '../core/errors.js';
import { jsonText } from '../core/json-text.js';
import { withoutSecrets } from '../sources/source-uri.js';

/** The place of a required value that is missing. */
export const NOT_SET = 'not set';

/** One fault of the configuration. */
export interface ConfigFault {
  /** Where the value was given: `holdfast.yaml:12`, `--segment-max-bytes`, `default`. */
  readonly where: string;
  /** The parameter or the path inside the file. */
  readonly path: string;
  readonly value: unknown;
  /** What is allowed, or what is wrong with it, as a phrase. */
  readonly allowed: string;
}

function line(fault: ConfigFault): string {
  const value = fault.value === undefined ? '' : ` is ${show(fault.value)};`;
  return `  ${fault.where}: ${fault.path}${value === '' ? ':' : value} ${fault.allowed}`;
}

/** A value in one short line. */
export function show(value: unknown): string {
  const text = jsonText(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** `CONFIG_INVALID` with every fault, in the message and as facts. */
export function configInvalid(given: readonly ConfigFault[]): HoldfastError {
  // Sources may contain credentials, and errors are logged.
  const faults = given.map((fault) =>
    typeof fault.value === 'string' ? { ...fault, value: withoutSecrets(fault.value) } : fault,
  );
  const head =
    faults.length === 1 ? 'the configuration has a fault' : `the configuration has ${faults.length} faults`;
  return new HoldfastError('CONFIG_INVALID', `${head}:\n${faults.map(line).join('\n')}`, {
    facts: { faults },
  });
}
