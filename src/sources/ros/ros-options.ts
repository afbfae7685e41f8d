import type { SourceUri } from '../source-uri.js';
import {
  choiceOption,
  durationMsOption,
  integerOption,
  invalidOptions,
  readUriOptions,
  type UriOption,
} from '../uri-options.js';
import type { GlobalRule } from './robots-of-topic.js';
import type { StaticTopic } from './static-topics.js';

/** One domain to record, and its robot if it has a name. */
export interface RosDomain {
  /** undefined: ROS_DOMAIN_ID of the environment. */
  readonly id: number | undefined;
  readonly robot?: string;
}

/** How messages are received: `auto` is native where the add-on is built and fits. */
export type ReceiveMode = 'auto' | 'native' | 'rclnodejs';

export interface RosSourceOptions {
  readonly receive: ReceiveMode;
  /** Payload bytes that may wait in the native receiver of one domain. */
  readonly receiveMaxBytes: number;
  readonly domains: readonly RosDomain[];
  /**
   * Which namespaces are robots; undefined: by the recorder's rule (a fixed robot, or the topic's first
   * segment).
   */
  readonly robots: readonly string[] | 'auto' | undefined;
  readonly global: GlobalRule;
  /** Interval of looking at the graph, milliseconds. */
  readonly pollMs: number;
  /**
   * Messages that the middleware keeps per subscription; 0: all of them; undefined: depends on the
   * middleware.
   */
  readonly depth: number | undefined;
  readonly hidden: boolean;
  readonly services: boolean;
  readonly actions: boolean;
  readonly own: boolean;
  readonly includeNodes: readonly RegExp[];
  readonly excludeNodes: readonly RegExp[];
  /** Path of a YAML file in rosbag2's form. */
  readonly qosOverridesPath: string | undefined;
  /** Topics to subscribe to before they have publishers. */
  readonly staticTopics: readonly StaticTopic[];
  /** Path of a YAML file with more of them, in rosbag2's form. */
  readonly staticTopicsPath: string | undefined;
  readonly useSimTime: boolean;
  /** Time without a message after which a steady topic counts as silent, milliseconds; 0: never. */
  readonly silentAfterMs: number;
  /** The same in usual periods of the topic; both must pass. */
  readonly silentPeriods: number;
  /** Name and namespace of its own node. */
  readonly nodeName: string;
  readonly namespace: string;
}

export const MAX_DOMAIN_ID = 232;
export const MAX_DOMAINS = 32;
export const DEFAULT_NODE_NAME = 'holdfast_recorder_source';

export const defaultRosOptions: RosSourceOptions = Object.freeze({
  receive: 'auto',
  receiveMaxBytes: 64 * 1024 * 1024,
  domains: [{ id: undefined }],
  robots: undefined,
  global: 'concerned',
  pollMs: 100,
  depth: undefined,
  hidden: false,
  services: false,
  actions: false,
  own: false,
  includeNodes: [],
  excludeNodes: [],
  qosOverridesPath: undefined,
  staticTopics: [],
  staticTopicsPath: undefined,
  useSimTime: false,
  silentAfterMs: 10_000,
  silentPeriods: 10,
  nodeName: DEFAULT_NODE_NAME,
  namespace: '',
});

/** `3,4`, `robot_a:3,robot_b:4`; undefined for anything else. */
export function parseDomains(text: string): readonly RosDomain[] | undefined {
  const parts = text.split(',').map((part) => part.trim());
  const domains = parts.map((part) => {
    const [, robot, digits] = /^(?:([^:,]+):)?(\d{1,3})$/.exec(part) ?? [];
    const id = Number(digits);
    return digits === undefined || id > MAX_DOMAIN_ID ? undefined : { id, ...(robot ? { robot } : {}) };
  });
  if (domains.some((domain) => domain === undefined) || domains.length > MAX_DOMAINS) return undefined;
  const known = domains as { id: number; robot?: string }[];
  if (new Set(known.map(({ id }) => id)).size !== known.length) return undefined;
  // With several domains each is a robot, or their topics would be one.
  return known.length === 1 ? known : known.map(({ id, robot }) => ({ id, robot: robot ?? `domain_${id}` }));
}

export const DOMAINS_FORM =
  `domain ids from 0 to ${MAX_DOMAIN_ID}, each once, comma separated, with or without a robot's name in front ` +
  `(3 or robot_a:3,robot_b:4), at most ${MAX_DOMAINS}`;

/** `auto`, or namespaces such as `/robot_1,/fleet/robot_2`; undefined for anything else. */
export function parseRobots(text: string): readonly string[] | 'auto' | undefined {
  if (text.trim() === 'auto') return 'auto';
  const namespaces = text.split(',').map((part) =>
    part
      .trim()
      .replace(/^(?!\/)/, '/')
      .replace(/\/$/, ''),
  );
  return namespaces.every((namespace) => /^(\/[A-Za-z_][A-Za-z0-9_]*)+$/.test(namespace))
    ? [...new Set(namespaces)]
    : undefined;
}

export const ROBOTS_FORM = 'auto, or namespaces such as /robot_1,/robot_2';

/**
 * Reads `ros:?domain=3&robots=auto`; missing options come from `defaults`.
 *
 * @throws HoldfastError CONFIG_INVALID with all faults.
 */
export function readRosUri(uri: SourceUri, defaults: RosSourceOptions = defaultRosOptions): RosSourceOptions {
  if (uri.path !== '') {
    throw invalidOptions(uri, [
      `"${uri.path}": nothing stands between ros: and its options, as in ros:?domain=3`,
    ]);
  }
  const values = readUriOptions(uri, {
    domain: optional((text) => parseDomains(text)?.at(0), DOMAINS_FORM),
    domains: optional(parseDomains, DOMAINS_FORM),
    robots: optional(parseRobots, ROBOTS_FORM),
    global: choiceOption<GlobalRule>(defaults.global, 'concerned', 'shared', 'all'),
    poll: durationMsOption(defaults.pollMs),
    depth: optional(
      (text) => integerOption(0, 0, 1_000_000).read(text),
      'an integer from 0 (all) to 1000000',
    ),
    hidden: flag(defaults.hidden),
    services: flag(defaults.services),
    actions: flag(defaults.actions),
    own: flag(defaults.own),
    include_node: regexes(defaults.includeNodes),
    exclude_node: regexes(defaults.excludeNodes),
    qos: optional((text) => (text === '' ? undefined : text), 'the path of a YAML file'),
    static_topics: optional((text) => (text === '' ? undefined : text), 'the path of a YAML file'),
    use_sim_time: flag(defaults.useSimTime),
    receive: choiceOption<ReceiveMode>(defaults.receive, 'auto', 'native', 'rclnodejs'),
    silent_after: durationMsOption(defaults.silentAfterMs),
    silent_periods: integerOption(defaults.silentPeriods, 2, 1_000),
    node: optional((text) => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? text : undefined), 'a ROS node name'),
    namespace: optional((text) => (/^(\/[A-Za-z_]\w*)*$/.test(text) ? text : undefined), 'a ROS namespace'),
  });
  if (values.domain !== undefined && values.domains !== undefined) {
    throw invalidOptions(uri, ['domain and domains are given both']);
  }
  const pollMs = values.poll ?? defaults.pollMs;
  if (pollMs < 10 || pollMs > 60_000) throw invalidOptions(uri, ['poll: must be from 10ms to 60s']);
  const silentAfterMs = values.silent_after ?? defaults.silentAfterMs;
  if (silentAfterMs !== 0 && (silentAfterMs < 1_000 || silentAfterMs > 86_400_000)) {
    throw invalidOptions(uri, ['silent_after: must be 0s (off), or from 1s to 24h']);
  }
  const domain = values.domain === undefined ? undefined : [values.domain];
  return Object.freeze({
    domains: values.domains ?? domain ?? defaults.domains,
    robots: values.robots ?? defaults.robots,
    global: values.global,
    receive: values.receive,
    receiveMaxBytes: defaults.receiveMaxBytes,
    pollMs,
    depth: values.depth ?? defaults.depth,
    hidden: values.hidden,
    services: values.services,
    actions: values.actions,
    own: values.own,
    includeNodes: values.include_node,
    excludeNodes: values.exclude_node,
    qosOverridesPath: values.qos ?? defaults.qosOverridesPath,
    staticTopics: defaults.staticTopics,
    staticTopicsPath: values.static_topics ?? defaults.staticTopicsPath,
    useSimTime: values.use_sim_time,
    silentAfterMs,
    silentPeriods: values.silent_periods,
    nodeName: values.node ?? defaults.nodeName,
    namespace: values.namespace ?? defaults.namespace,
  });
}

function optional<T>(read: (text: string) => T | undefined, allowed: string): UriOption<T | undefined> {
  return { default: undefined, allowed, read };
}

function flag(value: boolean): UriOption<boolean> {
  return {
    default: value,
    allowed: 'true or false',
    read: (text) => (text === 'true' || text === '' ? true : text === 'false' ? false : undefined),
  };
}

function regexes(value: readonly RegExp[]): UriOption<readonly RegExp[]> {
  return {
    default: value,
    allowed: 'a regular expression',
    read(text) {
      try {
        return [new RegExp(text)];
      } catch {
        return undefined;
      }
    },
  };
}
