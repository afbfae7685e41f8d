import { defined } from '../../core/defined.js';
import { DurationHistogram } from '../../core/duration-histogram.js';
import type { FileSystem } from '../../core/file-system.js';
import { HoldfastError, describeError } from '../../core/errors.js';
import type { Source, SourceContext } from '../../core/source.js';
import { isAborted } from '../../core/is-aborted.js';
import { runSource, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { DomainRecorder, type DomainParts, type DomainReport } from './domain-recorder.js';
import { MessageDefinitions } from './message-definitions.js';
import { latencyBoundsMs } from './native-receiver.js';
import { openReceiver } from './open-receiver.js';
import { parseQosOverrides } from './qos-overrides.js';
import { parseStaticTopicsFile } from './static-topics-file.js';
import { repeatedTopics, type StaticTopic } from './static-topics.js';
import { loadRclnodejs, type LoadedRos, type RosEnvironment } from './rclnodejs.js';
import { depthRule, type QosOverride } from './reader-qos.js';
import type { Receiver } from './receiver.js';
import type { RobotRule } from './robots-of-topic.js';
import { DEFAULT_NODE_NAME, readRosUri, type RosDomain, type RosSourceOptions } from './ros-options.js';
import { RosSession } from './ros-session.js';

export interface RosDependencies {
  readonly fs: Pick<FileSystem, 'readFile'>;
  /** Environment variables, as sourced before the process started. */
  readonly env: RosEnvironment;
  /**
   * A session to use instead of an own node: the recorder's, so that both are one participant. Only if a
   * single domain is recorded. It stays open when the source ends.
   */
  readonly session?: RosSession;
}

/** The source of a ROS graph, with what it can report beside its messages. */
export interface RosSource extends Source {
  /** The present domains; empty before it is opened and after its end. */
  report(): readonly DomainReport[];
}

/** Base names of Holdfast's own nodes; topics that only they publish are not recorded. */
const ownNodeNames = new Set(['holdfast_recorder', 'holdfast_sync']);

/**
 * Every topic of one or several ROS domains, raw. The environment must be sourced before the process starts.
 *
 * @throws HoldfastError CONFIG_INVALID for invalid options.
 */
export function createRosSource(
  uri: SourceUri,
  dependencies: RosDependencies,
  defaults?: RosSourceOptions,
): RosSource {
  return makeRosSource(uri.text, readRosUri(uri, defaults), dependencies);
}

/** As {@link createRosSource}, for options from elsewhere than a URI. */
export function makeRosSource(
  uri: string,
  options: RosSourceOptions,
  dependencies: RosDependencies,
): RosSource {
  let domains: readonly DomainRecorder[] = [];
  const latencies = new DurationHistogram(latencyBoundsMs);
  return {
    uri,
    supports: { finite: false, backpressure: false, sequences: false, acknowledgement: false },
    report: () => domains.map((domain) => domain.report()),
    stats: () => {
      const reports = domains.map((domain) => domain.report());
      return {
        silentTopics: reports.reduce((sum, { silent }) => sum + silent, 0),
        resubscriptions: reports.reduce((sum, { resubscriptions }) => sum + resubscriptions, 0),
        // rclnodejs does not know when a message was published.
        ...(reports.some(({ receive }) => receive === 'native')
          ? { receiveLatencies: latencies.toJson() }
          : {}),
      };
    },
    open: (context) =>
      runSource(context, async (run) => {
        const setup = new Setup(options, dependencies, context, run, latencies);
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
  readonly #sessions: RosSession[] = [];
  readonly #domains: DomainRecorder[] = [];
  #fellBack = false;

  readonly #options: RosSourceOptions;
  readonly #dependencies: RosDependencies;
  readonly #context: SourceContext;
  readonly #run: SourceRun;
  readonly #latencies: DurationHistogram;

  constructor(
    options: RosSourceOptions,
    dependencies: RosDependencies,
    context: SourceContext,
    run: SourceRun,
    latencies: DurationHistogram,
  ) {
    this.#latencies = latencies;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#context = context;
    this.#run = run;
  }

  async open(): Promise<readonly DomainRecorder[]> {
    const options = this.#options;
    const dependencies = this.#dependencies;
    const run = this.#run;
    run.emit({ kind: 'state', state: 'connecting' });
    const overrides = await readOverrides(options.qosOverridesPath, dependencies.fs);
    const staticTopics = await readStaticTopics(options, dependencies.fs);
    const ros = dependencies.session?.ros ?? (await loadRclnodejs(dependencies.env));
    const definitions = new MessageDefinitions(dependencies.fs, ros.prefixes);
    for (const domain of options.domains) {
      if (run.signal.aborted) break;
      const session = await this.#sessionOf(domain, ros);
      const receiver = this.#receiverOf(session);
      const recorder = new DomainRecorder({
        ...this.#partsOf(domain, session, overrides, definitions),
        staticTopics,
        receiver,
      });
      this.#domains.push(recorder);
      if (options.useSimTime) recorder.followClock();
      session.spin();
    }
    return this.#domains;
  }

  #receiverOf(session: RosSession): Receiver {
    const { receive, receiveMaxBytes } = this.#options;
    const { clock, logger } = this.#context;
    return openReceiver(session, {
      ...{ mode: receive, arenaBytes: receiveMaxBytes, timers: clock, logger, latencies: this.#latencies },
      onFallback: (reason) => {
        if (!this.#fellBack)
          logger.warn('ROS messages are received by rclnodejs, which costs more', { reason });
        this.#fellBack = true;
      },
    });
  }

  async #sessionOf(domain: RosDomain, ros: LoadedRos): Promise<RosSession> {
    const options = this.#options;
    const dependencies = this.#dependencies;
    const context = this.#context;
    const shared = dependencies.session;
    if (shared !== undefined && options.domains.length === 1 && isSameDomain(shared, domain)) return shared;
    // Loggers have the name of their node, one each per process.
    const suffix = options.domains.length === 1 ? '' : `_${domain.id}`;
    const session = await RosSession.open(ros, {
      nodeName: `${options.nodeName}${suffix}`,
      namespace: options.namespace,
      logger: context.logger,
      timers: context.clock,
      ...defined({ domainId: domain.id }),
    });
    this.#sessions.push(session);
    return session;
  }

  #partsOf(
    domain: RosDomain,
    session: RosSession,
    overrides: ReadonlyMap<string, QosOverride>,
    definitions: MessageDefinitions,
  ): Omit<DomainParts, 'staticTopics'> {
    const options = this.#options;
    const context = this.#context;
    const run = this.#run;
    const dependencies = this.#dependencies;
    const rmw = dependencies.env.RMW_IMPLEMENTATION ?? 'rmw_fastrtps_cpp';
    const ownName = session.node.name();
    const keepsAll = !rmw.startsWith('rmw_fastrtps') && !rmw.startsWith('rmw_connext');
    return {
      session,
      overrides,
      definitions,
      robots: robotRuleOf(options, domain, context),
      depthOf: depthRule(options.depth, keepsAll),
      ...defined({ limitsOf: context.queueRule }),
      useSimTime: options.useSimTime,
      pollMs: options.pollMs,
      silence: { silentAfterMs: options.silentAfterMs, periods: options.silentPeriods },
      // Cyclone DDS has the event and never sends it, even after losses.
      tellsLoss: rmw !== 'rmw_cyclonedds_cpp',
      oneTypePerTopic: rmw.startsWith('rmw_fastrtps'),
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
    for (const domain of this.#domains) domain.close();
    for (const session of this.#sessions) await session.close();
  }
}

/** Polls the graphs until the signal aborts. */
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
        logger.error('reading the ROS graph failed, will retry', { error: describeError(error) });
      }
      if (isAborted(signal)) return;
    }
    const next = domains.every((domain) => domain.hasTime) ? 'open' : 'waiting';
    if (next !== state) {
      state = next;
      emit({ kind: 'state', state: next, ...(next === 'waiting' ? { detail: 'no /clock yet' } : {}) });
    }
    await clock.sleep(options.pollMs, signal).catch(() => undefined);
  }
}

/**
 * Namespaces decide if they are requested; otherwise the robot of the domain; otherwise the recorder's own
 * rule.
 */
function robotRuleOf(options: RosSourceOptions, domain: RosDomain, context: SourceContext): RobotRule {
  const { robot } = domain;
  if (options.robots !== undefined) {
    return {
      kind: 'namespaces',
      namespaces: options.robots,
      global: options.global,
      ...defined({ fallback: robot }),
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
  return parseQosOverrides(await readText(path, 'QoS overrides', fs), path);
}

/** Those of the parameter and those of the file. */
async function readStaticTopics(
  { staticTopics, staticTopicsPath: path }: RosSourceOptions,
  fs: Pick<FileSystem, 'readFile'>,
): Promise<readonly StaticTopic[]> {
  if (path === undefined) return staticTopics;
  const all = [...staticTopics, ...parseStaticTopicsFile(await readText(path, 'static topics', fs), path)];
  const [repeated] = repeatedTopics(all);
  if (repeated === undefined) return all;
  throw new HoldfastError('CONFIG_INVALID', `static topics ${path}: static_topics has ${repeated} as well`);
}

async function readText(path: string, what: string, fs: Pick<FileSystem, 'readFile'>): Promise<string> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('CONFIG_INVALID', `${what} ${path}: cannot be read`, { cause });
  }
}
