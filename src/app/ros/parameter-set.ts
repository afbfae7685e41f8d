import { describeError, isHoldfastError } from '../../core/errors.js';
import type { LiveParameter } from '../../core/monitoring.js';
import { show, type ConfigFault } from '../../settings/fault.js';
import type { Parameter, RawValue } from '../../settings/parameter.js';
import { HIDDEN } from '../../settings/resolve.js';
import { suggest } from '../../settings/suggest.js';
import { messageOf, normalized, rawOfMessage, typeOfKind, type ParameterValueMessage } from './ros-value.js';

/** `rcl_interfaces/msg/ParameterDescriptor`. */
export interface DescriptorMessage {
  readonly name: string;
  readonly type: number;
  readonly description: string;
  readonly additional_constraints: string;
  readonly read_only: boolean;
  readonly dynamic_typing: boolean;
  readonly floating_point_range: readonly { from_value: number; to_value: number; step: number }[];
  readonly integer_range: readonly { from_value: bigint; to_value: bigint; step: bigint }[];
}

/** `rcl_interfaces/msg/SetParametersResult`. */
export interface SetResult {
  readonly successful: boolean;
  readonly reason: string;
}

export interface RawChange {
  readonly name: string;
  readonly raw: unknown;
}

export interface RosParameter {
  readonly row: Parameter;
  /** Can be set while the node runs. */
  readonly live: boolean;
}

export interface ParameterSetOptions {
  readonly parameters: ReadonlyMap<string, RosParameter>;
  /** Values at the start, of each row's ROS type. */
  readonly initial: ReadonlyMap<string, RawValue>;
  /**
   * Applies new values, all or none; throws if they are inconsistent or not possible. `all` are the values
   * after the change.
   */
  readonly apply: (changes: ReadonlyMap<string, RawValue>, all: ReadonlyMap<string, RawValue>) => void;
}

/**
 * The parameters of a node, and the answers to requests that read or change them. rclnodejs' own server shows
 * no range, accepts no empty list and refuses without saying what is allowed.
 */
export class ParameterSet {
  readonly #parameters: ReadonlyMap<string, RosParameter>;
  readonly #values: Map<string, RawValue>;
  readonly #apply: ParameterSetOptions['apply'];

  constructor({ parameters, initial, apply }: ParameterSetOptions) {
    this.#parameters = parameters;
    this.#values = new Map(initial);
    this.#apply = apply;
  }

  get names(): string[] {
    return [...this.#parameters.keys()];
  }

  /** `depth` 0: any; a name has one step more than dots. Listed as in rclcpp. */
  list(prefixes: readonly string[], depth: number): { names: string[]; prefixes: string[] } {
    const under = (name: string, prefix: string): boolean =>
      name === prefix ||
      (name.startsWith(`${prefix}.`) &&
        (depth === 0 || name.slice(prefix.length + 1).split('.').length <= depth));
    const names = this.names.filter((name) =>
      prefixes.length === 0
        ? depth === 0 || name.split('.').length <= depth
        : prefixes.some((prefix) => under(name, prefix)),
    );
    const found = names.flatMap((name) => (name.includes('.') ? [name.slice(0, name.lastIndexOf('.'))] : []));
    return { names, prefixes: [...new Set(found)] };
  }

  /** The parameters that can be set, with their values. */
  live(): readonly LiveParameter[] {
    return [...this.#parameters].flatMap(([name, { row, live }]) => {
      const value = this.#values.get(name);
      const { kind, unit = '', allowed, description } = row;
      return live && value !== undefined ? [{ name, value, kind, unit, allowed, description }] : [];
    });
  }

  /** An unknown name gives a message without a type, as in rclcpp. */
  get(name: string): ParameterValueMessage {
    const parameter = this.#parameters.get(name);
    const value = this.#values.get(name);
    return parameter === undefined || value === undefined
      ? { type: 0 }
      : messageOf(parameter.row.kind, value);
  }

  type(name: string): number {
    const parameter = this.#parameters.get(name);
    return parameter === undefined ? 0 : typeOfKind(parameter.row.kind);
  }

  describe(name: string): DescriptorMessage {
    const parameter = this.#parameters.get(name);
    const { row } = parameter ?? {};
    const range = row?.range;
    const isReal = row?.kind === 'real';
    return {
      name,
      type: this.type(name),
      description: row?.description ?? '',
      additional_constraints: row === undefined ? '' : constraints(row),
      read_only: parameter !== undefined && !parameter.live,
      // Sizes and times may be given as text (64MiB); they stay integers.
      dynamic_typing: false,
      floating_point_range: range && isReal ? [{ from_value: range.min, to_value: range.max, step: 0 }] : [],
      integer_range:
        range && !isReal ? [{ from_value: BigInt(range.min), to_value: BigInt(range.max), step: 1n }] : [],
    };
  }

  /** Changes all of them or none; the reason contains parameter, value and what is allowed. */
  set(changes: readonly { readonly name: string; readonly value: ParameterValueMessage }[]): SetResult {
    return this.setRaw(changes.map(({ name, value }) => ({ name, raw: rawOfMessage(value) })));
  }

  /** The same with values in the spelling of a configuration file; undefined: not set. */
  setRaw(changes: readonly RawChange[]): SetResult {
    const wanted = new Map<string, RawValue>();
    for (const { name, raw } of changes) {
      const parameter = this.#parameters.get(name);
      if (parameter === undefined) return refused(this.#unknown(name));
      if (!parameter.live) {
        return refused(
          `${name} is fixed while the node runs: give it at the start (params file, launch argument, -p)`,
        );
      }
      const { row } = parameter;
      const next = raw === undefined ? undefined : normalized(row, raw);
      if (next === undefined) {
        const given = raw === undefined ? 'not set' : row.secret === true ? HIDDEN : show(raw);
        return refused(`${name} is ${given}; allowed: ${row.allowed}${inUnit(row)}`);
      }
      wanted.set(name, next);
    }
    try {
      this.#apply(wanted, new Map([...this.#values, ...wanted]));
    } catch (error) {
      return refused(reasonOf(error));
    }
    for (const [name, value] of wanted) this.#values.set(name, value);
    return { successful: true, reason: '' };
  }

  #unknown(name: string): string {
    const meant = suggest(name, this.names);
    return `${name} is not a parameter of this node${meant === undefined ? '' : `; did you mean ${meant}?`}`;
  }
}

function constraints(row: Parameter): string {
  return `allowed: ${row.allowed}${inUnit(row)}`;
}

function inUnit({ unit }: Parameter): string {
  return unit === undefined || unit === '' ? '' : ` (${unit})`;
}

function refused(reason: string): SetResult {
  return { successful: false, reason };
}

/** Faults between parameters are reported one by one, without the heading. */
function reasonOf(error: unknown): string {
  const faults = isHoldfastError(error) ? error.facts['faults'] : undefined;
  if (!Array.isArray(faults)) return describeError(error);
  return (faults as ConfigFault[])
    .map(
      ({ path, value, allowed }) => `${path}${value === undefined ? '' : ` is ${show(value)}`}; ${allowed}`,
    )
    .join('; ');
}
