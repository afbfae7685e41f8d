import { HoldfastError } from '../../core/errors.js';
import { plainText } from '../../core/plain-text.js';
import { fleetOptionTable, readSimOptions, type SimPlan } from '../../sources/sim/sim-options.js';

/** What the node simulates, and where it writes its ledger. */
export interface FleetNodeOptions {
  readonly plan: SimPlan;
  /** File for the ledger of published messages, written at the end; empty: none. */
  readonly ledger: string;
  /** Every parameter with its value as text, as the node shows them. */
  readonly shown: ReadonlyMap<string, string>;
}

/** Of ROS, or of every node. */
const FOREIGN = /^(use_sim_time$|start_type_description_service$|qos_overrides\.)/;
/** `shape=flood` is a load without ROS types. */
const simNames = Object.keys(fleetOptionTable).filter((name) => name !== 'shape');

/**
 * Reads the node's parameters, which are the options of `sim:` (docs/simulator.md) and `ledger`. A list may
 * be text with commas, a number its digits.
 *
 * @throws HoldfastError CONFIG_INVALID with every fault.
 */
export function readFleetOptions(overrides: ReadonlyMap<string, unknown>): FleetNodeOptions {
  const unknown = [...overrides.keys()].filter(
    (name) => name !== 'ledger' && !simNames.includes(name) && !FOREIGN.test(name),
  );
  if (unknown.length > 0) {
    const allowed = [...simNames, 'ledger'].join(', ');
    throw new HoldfastError(
      'CONFIG_INVALID',
      `parameter ${unknown.join(', ')}: unknown; sim_fleet takes ${allowed}`,
      { facts: { unknown } },
    );
  }
  const given = new URLSearchParams();
  for (const name of simNames) {
    // A launch file gives an empty text for a missing value.
    const text = textOf(overrides.get(name));
    if (text !== '') given.set(name, text);
  }
  const plan = readSimOptions(given.toString());
  if (plan.speed === Infinity) {
    throw new HoldfastError('CONFIG_INVALID', 'rate: "max" is not a speed for live topics; use 1 or so');
  }
  const ledger = textOf(overrides.get('ledger'));
  const shown = new Map([
    ...simNames.map((name) => [name, given.get(name) ?? ''] as const),
    ['ledger', ledger],
  ]);
  return { plan, ledger, shown };
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return Array.isArray(value) ? value.join(',') : plainText(value);
}
