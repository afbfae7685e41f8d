import type { Context, Node, NodeOptions } from 'rclnodejs';
import { guard } from '../../sources/ros/guard.js';
import { loadRclnodejs, type Rclnodejs } from '../../sources/ros/rclnodejs.js';
import type { OperationalLog } from '../../monitors/log/operational-log.js';
import { RosSession } from '../../sources/ros/ros-session.js';
import { exitCodeOf, exitCodes } from '../../host/exit-code.js';
import { explain } from '../cli/run-cli.js';
import { StopSignals } from '../cli/stop-signals.js';
import type { LogLevel } from '../../core/logger.js';
import type { MonitoredParameters } from '../../core/monitoring.js';
import { openProcessLog } from '../monitoring/process-log.js';
import { configInvalid } from '../../settings/fault.js';
import type { ParameterName } from '../../settings/parameter-table.js';
import type { RawValue, Role } from '../../settings/parameter.js';
import { systemPorts, type SystemPorts } from '../../host/ports.js';
import { ensureHome } from '../../host/user-id.js';
import { isLive } from './live-parameters.js';
import { NodeLogger } from './node-logger.js';
import { NodeServices } from './node-services.js';
import { resolveOverrides, type NativeOverrides } from './overrides.js';
import { ParameterSet, type ParameterSetOptions } from './parameter-set.js';
import { serveParameters } from './parameter-services.js';
import { resolvedValues, startValues, type StartValues } from './start-values.js';
import { systemTimers } from '../../host/system-clock.js';

/** How long pending answers may delay the end. */
const SETTLE_MS = 2_000;
/** `ros2 launch` passes on a signal that its nodes also received, as members of its group. */
const SAME_SIGNAL_MS = 1_000;

/** A node that has joined its domain, before it does anything. */
export interface RunningNode {
  readonly session: RosSession;
  readonly services: NodeServices;
  readonly logger: OperationalLog;
  readonly ports: SystemPorts;
  /** `/robot_1/holdfast_recorder`. */
  readonly fullName: string;
  readonly start: StartValues;
  /** Ends the node: a signal. */
  readonly signal: AbortSignal;
  /** Offers the parameters; `apply` receives those that do not concern the node itself. */
  serveParameters(apply: ParameterSetOptions['apply']): MonitoredParameters;
}

export interface NodeProgram {
  readonly role: Role;
  /** Defaults of the node that differ from the table, by its namespace (`/`, `/robot_1`). */
  readonly defaults: (namespace: string) => Readonly<Partial<Record<ParameterName, RawValue>>>;
  /** Works until the signal aborts; returns the exit code. */
  readonly run: (node: RunningNode) => Promise<number>;
}

/** The few native functions that rclnodejs' own interface handles wrongly. */
interface ParameterNative {
  getParameterOverrides(contextHandle: unknown): readonly NativeOverrides[] | undefined;
}

/** Runs a node to its end and ends the process; the counterpart of the command line's `main`. */
export async function runNode(program: NodeProgram): Promise<never> {
  // Node 20 is supported on purpose; otherwise every sync to S3 would start with the SDK's reminder.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  ensureHome();
  const logger = new NodeLogger(Date.now, (line) => process.stderr.write(line));
  let session: RosSession | undefined;
  // A node that ends without this stays in the graph of its peers for seconds.
  const leave = (): void => {
    try {
      if (session && !session.isClosed) session.context.tryShutdown();
    } catch {
      // The process ends anyway.
    }
  };
  const stop = new StopSignals(process, leave, { togetherMs: SAME_SIGNAL_MS });
  const die = (error: unknown): void => {
    logger.error(`unexpected: ${explain(error)}`);
    leave();
    process.exit(exitCodes.failed);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
  let exitCode: number;
  try {
    session = await join(program, logger);
    exitCode = await runJoined(program, session, logger, stop.signal);
  } catch (error) {
    logger.error(explain(error));
    exitCode = exitCodeOf(error);
  }
  logger.attach(undefined);
  await session?.close();
  // Threads of the middleware must not keep a finished node alive.
  return process.exit(exitCode);
}

async function join(program: NodeProgram, logger: NodeLogger): Promise<RosSession> {
  const ros = await loadRclnodejs(process.env);
  const nodeName = `holdfast_${program.role}`;
  const argv = process.argv.slice(2);
  const session = await RosSession.open(ros, {
    nodeName,
    argv,
    logger,
    timers: systemTimers,
    makeNode: (rcl, context) => makeNode(rcl, context, nodeName, logger),
  });
  logger.attach(session.node.getLogger());
  const extra = (ros.rcl as unknown as { removeROSArgs(argv: string[]): string[] }).removeROSArgs(argv);
  if (extra.length > 0) {
    logger.warn('this node ignores arguments outside --ros-args', { arguments: extra.join(' ') });
  }
  return session;
}

/**
 * Parameters are served here, not by rclnodejs. Everything that the middleware has for the node passes
 * through `execute`, including rclnodejs' own services, whose exceptions would end the process too.
 */
function makeNode(rcl: Rclnodejs, context: Context, nodeName: string, logger: NodeLogger): Node {
  const options = { startParameterServices: false } as unknown as NodeOptions;
  const node = new rcl.Node(nodeName, '', context, options) as Node & { execute(handles: unknown): void };
  const execute = node.execute.bind(node);
  Object.defineProperty(node, 'execute', { value: guard('execute', execute, logger) });
  return node;
}

async function runJoined(
  program: NodeProgram,
  session: RosSession,
  console: NodeLogger,
  signal: AbortSignal,
): Promise<number> {
  const { node, context, ros } = session;
  const { role } = program;
  const fullName = node.getFullyQualifiedName();
  const native = ros.native as unknown as ParameterNative;
  const handle = (context as unknown as { handle: unknown }).handle;
  const overrides = resolveOverrides(native.getParameterOverrides(handle) ?? [], fullName);
  const defaults = { 'log.level': console.level, ...program.defaults(node.namespace()) };
  const start = startValues(role, overrides, defaults, (name) => isLive(role, name));
  console.format = start.initial.get('log.format') as 'text' | 'json';
  if (start.faults.length > 0) throw configInvalid(start.faults);
  await using logger = openProcessLog(role, resolvedValues(role, start.initial, start.given).values, console);
  // The log decides what is logged, here and in its file.
  console.level = 'debug';
  for (const sentence of start.unknown) logger.warn(`unknown parameter: ${sentence}`);
  const services = new NodeServices(session, logger);
  session.spin();
  try {
    return await program.run({
      session,
      services,
      logger,
      ports: systemPorts(logger),
      fullName,
      start,
      signal,
      serveParameters: (apply) => {
        const set = new ParameterSet({
          parameters: start.parameters,
          initial: start.initial,
          apply: (changes, all) => {
            apply(changes, all);
            if (changes.has('log.level')) logger.setLevel(all.get('log.level') as LogLevel);
          },
        });
        return serveParameters(set, session, services, logger);
      },
    });
  } finally {
    await Promise.race([services.settled(), new Promise((done) => setTimeout(done, SETTLE_MS).unref())]);
  }
}
