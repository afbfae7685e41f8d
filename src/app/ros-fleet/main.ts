#!/usr/bin/env node
import { writeFileSync } from 'node:fs';
import type { ParameterType } from 'rclnodejs';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { loadRclnodejs } from '../../sources/ros/rclnodejs.js';
import { RosSession } from '../../sources/ros/ros-session.js';
import { resolveOverrides, type NativeOverrides } from '../ros/overrides.js';
import { createStreamLogger } from '../../host/stream-logger.js';
import { systemClock, systemTimers } from '../../host/system-clock.js';
import { FleetNode } from './fleet-node.js';
import { readFleetOptions } from './fleet-options.js';

/**
 * The native call behind rclnodejs' own reading of parameters, which supports only `/**` and the node's bare
 * name.
 */
interface NativeArguments {
  getParameterOverrides(context: unknown): readonly NativeOverrides[] | undefined;
}

/** Unless remapped. Not holdfast_...: a recorder leaves out what Holdfast publishes about itself. */
const NODE_NAME = 'sim_fleet';

/** rcl_interfaces/msg/ParameterType PARAMETER_STRING; rclnodejs' enumeration exists only for the compiler. */
const STRING = 4 as unknown as ParameterType.PARAMETER_STRING;

const logger = createStreamLogger({
  role: 'fleet',
  nowMs: Date.now,
  write: (line) => void process.stderr.write(line),
});
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());

async function main(): Promise<void> {
  const ros = await loadRclnodejs(process.env);
  const session = await RosSession.open(ros, {
    nodeName: NODE_NAME,
    argv: process.argv.slice(2),
    logger,
    timers: systemTimers,
  });
  try {
    await publish(session, logger);
  } finally {
    await session.close();
  }
}

async function publish(session: RosSession, log: Logger): Promise<void> {
  const native = session.ros.native as unknown as NativeArguments;
  const { handle } = session.context as unknown as { readonly handle: unknown };
  const sections = native.getParameterOverrides(handle) ?? [];
  const fullName = `${session.node.namespace().replace(/\/$/, '')}/${session.node.name()}`;
  const { plan, ledger, shown } = readFleetOptions(resolveOverrides(sections, fullName));
  declare(session, shown);
  const fleet = new FleetNode(session, plan, { clock: systemClock, logger: log });
  session.spin();
  log.info('publishing the simulated fleet', { topics: fleet.topics, domain: session.domainId });
  await fleet.run(stop.signal);
  const published = fleet.ledger();
  const messages = Object.values(published).reduce((sum, { count }) => sum + count, 0);
  if (ledger !== '') writeFileSync(ledger, `${JSON.stringify(published, undefined, 2)}\n`);
  log.info('the simulated fleet has ended', { messages });
}

/** For `ros2 param list` and `get`; a missing value is empty and means the simulator's default. */
function declare({ rcl, node }: RosSession, shown: ReadonlyMap<string, string>): void {
  const { Parameter, ParameterDescriptor } = rcl;
  const names = [...shown.keys()];
  node.declareParameters(
    names.map((name) => new Parameter(name, STRING, shown.get(name))),
    names.map(
      (name) =>
        new ParameterDescriptor(name, STRING, 'An option of the simulator (docs/simulator.md).', true),
    ),
    true,
  );
}

main().then(
  // Open handles of rclnodejs must not keep a finished node alive.
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`sim_fleet: ${describeError(error)}\n`);
    process.exit(1);
  },
);
