import { configInvalid, NOT_SET, type ConfigFault } from './fault.js';
import type { ParameterName } from './parameter-table.js';
import type { Resolved } from './resolve.js';

/** Faults between parameters that are each valid. */
export class CrossCheck {
  readonly #faults: ConfigFault[];

  readonly #resolved: Resolved;

  constructor(resolved: Resolved) {
    this.#resolved = resolved;
    this.#faults = [...resolved.faults];
  }

  fault(name: ParameterName, value: unknown, allowed: string): void {
    this.#faults.push({
      where: this.#resolved.origin[name],
      path: name,
      value,
      allowed: `allowed: ${allowed}`,
    });
  }

  missing(name: ParameterName, allowed: string): void {
    if (this.#faults.some(({ path }) => path === name)) return;
    this.#faults.push({ where: NOT_SET, path: name, value: undefined, allowed: `allowed: ${allowed}` });
  }

  /** `name`'s value, which must not exceed `limit`'s. */
  atMost(name: NumericParameter, limit: NumericParameter): number {
    const value = this.#resolved.values[name];
    const most = this.#resolved.values[limit];
    if (value <= most) return value;
    if (this.#resolved.origin[name] !== 'default') this.fault(name, value, `at most ${limit} (${most})`);
    return most;
  }

  /** Throws `CONFIG_INVALID` if there are faults. */
  done(): void {
    if (this.#faults.length > 0) throw configInvalid(this.#faults);
  }
}

type NumericParameter = {
  [Name in ParameterName]: Resolved['values'][Name] extends number ? Name : never;
}[ParameterName];
