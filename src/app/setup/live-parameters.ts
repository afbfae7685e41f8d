import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { LogLevel } from '../../core/logger.js';
import type { LiveParameter, MonitoredParameters, ParameterValue } from '../../core/monitoring.js';
import type { SystemPorts } from '../../host/ports.js';
import type { RecorderControl } from '../../recorder/recorder-control.js';
import { compileRecorderOptions } from '../../settings/compile-recorder.js';
import { show, type ConfigFault } from '../../settings/fault.js';
import { liveRecorderParameters } from '../../settings/live-parameters.js';
import {
  isParameterName,
  parameterNamed,
  parameterNamesFor,
  type ParameterName,
} from '../../settings/parameter-table.js';
import type { Resolved } from '../../settings/resolve.js';
import { suggest } from '../../settings/suggest.js';

export interface LiveParametersPorts {
  readonly host: SystemPorts;
  readonly recorder: Pick<RecorderControl, 'reconfigure'>;
  /** Absent: the level of the log is not among the parameters. */
  readonly setLogLevel: ((level: LogLevel) => void) | undefined;
}

/** The parameters of a recorder that can be set while it runs. */
export class LiveParameters implements MonitoredParameters {
  #resolved: Resolved;
  readonly #ports: LiveParametersPorts;
  readonly #names: readonly ParameterName[];

  constructor(resolved: Resolved, ports: LiveParametersPorts) {
    this.#resolved = resolved;
    this.#ports = ports;
    const live = new Set<ParameterName>([
      ...liveRecorderParameters,
      ...(ports.setLogLevel === undefined ? [] : (['log.level'] as const)),
    ]);
    this.#names = parameterNamesFor('recorder').filter((name) => live.has(name));
  }

  list(): readonly LiveParameter[] {
    const { raw } = this.#resolved;
    return this.#names.map((name) => {
      const { kind, unit = '', allowed, description, default: standard = '' } = parameterNamed(name);
      const value = (raw[name] ?? standard) as ParameterValue;
      return { name, value, kind, unit, allowed, description };
    });
  }

  set(name: string, value: unknown): void {
    const known = this.#known(name);
    const row = parameterNamed(known);
    const parsed = row.parse(value);
    if (parsed === undefined)
      throw new HoldfastError('REQUEST_INVALID', `${name} is ${show(value)}; allowed: ${row.allowed}`);
    const { values, raw, origin } = this.#resolved;
    const next: Resolved = {
      values: { ...values, [known]: parsed },
      raw: { ...raw, [known]: value },
      origin: { ...origin, [known]: 'set at run time' },
      faults: [],
    };
    if (known === 'log.level') this.#ports.setLogLevel?.(parsed as LogLevel);
    else this.#reconfigure(next);
    this.#resolved = next;
    this.#ports.host.logger.info('a parameter was set', { parameter: name, value: show(value) });
  }

  #reconfigure(next: Resolved): void {
    const { host, recorder } = this.#ports;
    try {
      recorder.reconfigure?.(compileRecorderOptions(next, host));
    } catch (error) {
      throw withoutHeading(error);
    }
  }

  #known(name: string): ParameterName {
    if (isParameterName(name) && this.#names.includes(name)) return name;
    if (isParameterName(name))
      throw new HoldfastError(
        'STATE_REFUSED',
        `${name} is fixed while the recorder runs; set it in the configuration and restart`,
      );
    const meant = suggest(name, this.#names);
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    throw new HoldfastError('REQUEST_INVALID', `${show(name)} is not a parameter of the recorder${hint}`);
  }
}

/** Faults between parameters on one line, for an answer, which would show the cause as well. */
function withoutHeading(error: unknown): unknown {
  const faults = isHoldfastError(error) ? error.facts['faults'] : undefined;
  if (!Array.isArray(faults)) return error;
  const words = (faults as ConfigFault[]).map(
    ({ path, value, allowed }) => `${path}${value === undefined ? '' : ` is ${show(value)}`}; ${allowed}`,
  );
  return new HoldfastError('CONFIG_INVALID', words.join('; '));
}
