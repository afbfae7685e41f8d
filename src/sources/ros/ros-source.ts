import type { FileSystem } from '../../core/file-system.js';
import { HoldfastError, describeError } from '../../core/errors.js';
import type { Source, SourceContext } from '../../core/source.js';
import { runSource, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { DomainRecorder, type DomainParts, type DomainReport } from './domain-recorder.js';
import { MessageDefinitions } from './message-definitions.js';
import { parseQosOverrides } from './qos-overrides.js';
import { loadRclnodejs, type LoadedRos, type RosEnvironment } from './rclnodejs.js';
import type { QosOverride } from './reader-qos.js';
import type { RobotRule } from './robots-of-topic.js';
import { DEFAULT_NODE_NAME, readRosUri, type RosDomain, type RosSourceOptions } from './ros-options.js';
import { RosSession } from './ros-session.js';

export interface RosDependencies {
  readonly fs: Pick<FileSystem, 'readFile'>;
  /** Variables of the process, as sourced before it started. */
  readonly env: RosEnvironment;
  /**
   * A session to listen with, instead of a node of its own: the recorder's, so that both are one participant.
   * Only where a single domain is recorded. It stays open when the source ends.
   */
  readonly session?: RosSession;
}

/** The source of a ROS graph, with what it can tell beside its messages. */
export interface RosSource extends Source {
  /** The domains as they are now; empty before it is opened and after its end. */
  report(): readonly DomainReport[];
}

/** Base names of Holdfast's own nodes; what only they publish is not recorded. */
const ownNodeNames = new Set(['holdfast_recorder', 'holdfast_sync']);
/** Fast DDS refuses what exceeds its resource limits, which hold a writer up: its reader keeps so many. */
const BOUNDED_DEPTH = 5_000;

/**
 * Every topic of one or several ROS domains, raw. It needs the sourced environment before the process starts.
 *
 * @throws HoldfastError CONFIG_INVALID for options that are not allowed.
 */
export function createRosSource(
  uri: SourceUri,
  dependencies: RosDependencies,
  defaults?: RosSourceOptions,
): RosSource {
  return makeRosSource(uri.text, readRosUri(uri, defaults), dependencies);
}

/** As {@link createRosSource}, for options that come from elsewhere than a URI. */
export function makeRosSource(
  uri: string,
  options: RosSourceOptions,
  dependencies: RosDependencies,
): RosSource {
  let domains: readonly DomainRecorder[] = [];
  return {
    uri,
    supports: { finite: false, backpressure: false, sequences: false, acknowledgement: false },
    report: () => domains.map((domain) => domain.report()),
    open: (context) =>
      runSource(context, async (run) => {
        const setup = new Setup(options, dependencies, context, run);
        try {
          domains = await setup.open();
          await record(domains, options, context, run);
        } finally {
          domains = [];
          await setup.close();
        }
      }),
  };
}

/** Opens what a recording needs, and closes what it opened. */
class Setup {
  private readonly sessions: RosSession[] = [];
  private readonly domains: DomainRecorder[] = [];

  constructor(
    private readonly options: RosSourceOptions,
    private readonly dependencies: RosDependencies,
    private readonly context: SourceContext,
    private readonly run: SourceRun,
  ) {}

  async open(): Promise<readonly DomainRecorder[]> {
    const { options, dependencies, run } = this;
    run.emit({ kind: 'state', state: 'connecting' });
    const overrides = await readOverrides(options.qosOverridesPath, dependencies.fs);
    const ros = dependencies.session?.ros ?? (await loadRclnodejs(dependencies.env));
    const definitions = new MessageDefinitions(dependencies.fs, ros.prefixes);
    for (const domain of options.domains) {
      if (run.signal.aborted) break;
      const session = await this.sessionOf(domain, ros);
      const recorder = new DomainRecorder(this.partsOf(domain, session, overrides, definitions));
      this.domains.push(recorder);
      if (options.useSimTime) recorder.followClock();
      session.spin();
    }
    return this.domains;
  }

  private async sessionOf(domain: RosDomain, ros: LoadedRos): Promise<RosSession> {
    const { options, dependencies, context } = this;
    const shared = dependencies.session;
    if (shared !== undefined && options.domains.length === 1 && isSameDomain(shared, domain)) return shared;
    // Loggers are known by the name of their node, one each in a process.
    const suffix = options.domains.length === 1 ? '' : `_${domain.id}`;
    const session = await RosSession.open(ros, {
      nodeName: `${options.nodeName}${suffix}`,
      namespace: options.namespace,
      logger: context.logger,
      ...(domain.id === undefined ? {} : { domainId: domain.id }),
    });
    this.sessions.push(session);
    return session;
  }

  private partsOf(
    domain: RosDomain,
    session: RosSession,
    overrides: ReadonlyMap<string, QosOverride>,
    definitions: MessageDefinitions,
  ): DomainParts {
    const { options, context, run, dependencies } = this;
    const rmw = dependencies.env.RMW_IMPLEMENTATION ?? 'rmw_fastrtps_cpp';
    const ownName = session.node.name();
    const keepsAll = !rmw.startsWith('rmw_fastrtps') && !rmw.startsWith('rmw_connext');
    return {
      session,
      overrides,
      definitions,
      robots: robotRuleOf(options, domain, context),
      depth: options.depth ?? (keepsAll ? 0 : BOUNDED_DEPTH),
      useSimTime: options.useSimTime,
      // Cyclone DDS knows the event and never sends it, whatever is lost.
      tellsLoss: rmw !== 'rmw_cyclonedds_cpp',
      clock: context.clock,
      logger: context.logger,
      emit: run.emit,
      rules: {
        wanted: context.wanted,
        includeNodes: options.includeNodes,
        excludeNodes: options.excludeNodes,
        hidden: options.hidden,
        services: options.services,
        actions: options.actions,
        own: options.own,
        isOwnNode: (name) => ownNodeNames.has(name) || name.startsWith(DEFAULT_NODE_NAME) || name === ownName,
      },
    };
  }

  async close(): Promise<void> {
    for (const domain of this.domains) domain.close();
    for (const session of this.sessions) await session.close();
  }
}

/** Polls the graphs until the signal. */
async function record(
  domains: readonly DomainRecorder[],
  options: RosSourceOptions,
  { clock, logger }: SourceContext,
  { emit, signal }: SourceRun,
): Promise<void> {
  let state = '';
  while (!signal.aborted) {
    for (const domain of domains) {
      try {
        if (domain.hasTime) await domain.poll();
      } catch (error) {
        logger.error('looking at the ROS graph failed, it is tried again', { error: describeError(error) });
      }
      if (signal.aborted) return;
    }
    const next = domains.every((domain) => domain.hasTime) ? 'open' : 'waiting';
    if (next !== state) {
      state = next;
      emit({ kind: 'state', state: next, ...(next === 'waiting' ? { detail: 'no /clock yet' } : {}) });
    }
    await clock.sleep(options.pollMs, signal).catch(() => undefined);
  }
}

/** Namespaces decide where they are asked for; else the robot of the domain; else the recorder's own rule. */
function robotRuleOf(options: RosSourceOptions, domain: RosDomain, context: SourceContext): RobotRule {
  const { robot } = domain;
  if (options.robots !== undefined) {
    return {
      kind: 'namespaces',
      namespaces: options.robots,
      global: options.global,
      ...(robot === undefined ? {} : { fallback: robot }),
    };
  }
  return { kind: 'by-topic', robotOf: robot === undefined ? context.robotOf : () => robot };
}

function isSameDomain(session: RosSession, { id }: RosDomain): boolean {
  return id === undefined || id === session.domainId;
}

async function readOverrides(
  path: string | undefined,
  fs: Pick<FileSystem, 'readFile'>,
): Promise<ReadonlyMap<string, QosOverride>> {
  if (path === undefined || path === '') return new Map();
  let text: string;
  try {
    text = await fs.readFile(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('CONFIG_INVALID', `QoS overrides ${path}: cannot be read`, { cause });
  }
  return parseQosOverrides(text, path);
}
