import {
  DEFAULT_NODE_NAME,
  DOMAINS_FORM,
  ROBOTS_FORM,
  parseDomains,
  parseRobots,
  type RosSourceOptions,
} from '../sources/ros/ros-options.js';
import type { StaticTopic } from '../sources/ros/static-topics.js';
import { bytes, choice, count, duration, regexes, staticTopicList, text, toggle } from './parameter.js';

const role = 'recorder';

/** Rows of the parameter table for sources `ros:`; a URI may state each of them instead. */
export const rosParameters = {
  'nodes.include': regexes({
    role,
    flag: 'include-node',
    description:
      'Records only topics published by a node whose full name (/robot_1/lidar) matches one of these. Source ' +
      'ros only; in the URI: include_node=.',
  }),
  'nodes.exclude': regexes({
    role,
    flag: 'exclude-node',
    description:
      'Leaves out topics that only nodes matching one of these publish. Source ros only; in the URI: ' +
      'exclude_node=.',
  }),
  qos_profile_overrides_path: text({
    role,
    flag: 'qos-profile-overrides-path',
    default: '',
    placeholder: 'file',
    description:
      'YAML file as for ros2 bag record: topics with the QoS to request instead of one that is compatible with all publishers. Source ros only; in the URI: qos=.',
  }),
  static_topics: staticTopicList({
    role,
    flag: 'static-topic',
    description:
      'Topics with their types, as "/imu sensor_msgs/msg/Imu": Holdfast subscribes to them at the start, before ' +
      'they have a publisher, so that it records the first message. Source ros only.',
  }),
  static_topics_path: text({
    role,
    flag: 'static-topics-path',
    default: '',
    placeholder: 'file',
    description:
      'YAML file as for ros2 bag record, with more static topics. Source ros only; in the URI: static_topics=.',
  }),
  'ros.domains': text(
    {
      role,
      flag: 'ros-domains',
      default: '',
      placeholder: 'ids',
      description:
        'Domains that ros: records: 3, or several, each a robot of its own: robot_a:3,robot_b:4. Empty: ' +
        'ROS_DOMAIN_ID. In the URI: domain= or domains=.',
    },
    `empty, or ${DOMAINS_FORM}`,
    (value) => value === '' || parseDomains(value) !== undefined,
  ),
  'ros.robots': text(
    {
      role,
      flag: 'ros-robots',
      default: '',
      placeholder: 'namespaces',
      description:
        'Which namespaces are robots: a list such as /robot_1,/robot_2, or auto (the first segment of every ' +
        "node's namespace). Empty: as robot and robot_from_namespace say. In the URI: robots=.",
    },
    `empty, ${ROBOTS_FORM}`,
    (value) => value === '' || parseRobots(value) !== undefined,
  ),
  'ros.global_topics': choice(
    {
      role,
      flag: 'ros-global-topics',
      default: 'concerned',
      description:
        'With ros.robots, whose a topic outside every namespace is (/tf, /diagnostics, /clock): of the robots ' +
        'whose nodes publish it (concerned; of all robots where none does), of all robots (all), or of the ' +
        'robot _shared (shared). In the URI: global=.',
    },
    ['concerned', 'shared', 'all'],
  ),
  'ros.poll_ms': duration({
    role,
    flag: 'ros-poll',
    default: 100,
    min: 10,
    max: 60_000,
    description:
      'Interval at which Holdfast polls the ROS graph. A new topic or publisher is noticed within this time. In the URI: poll=.',
  }),
  'ros.reader_depth': count(
    {
      role,
      flag: 'ros-reader-depth',
      default: -1,
      min: -1,
      max: 1_000_000,
      description:
        'Messages that the middleware keeps per topic until they are taken. Further messages overwrite the oldest without notice. 0: keep all. -1: keep all, or 5000 with middlewares that have limits of their own (Fast DDS, Connext), 16 there for images, point clouds and grids. In the URI: depth=.',
    },
    'messages',
  ),
  'ros.receive': choice(
    {
      role,
      flag: 'ros-receive',
      default: 'auto',
      description:
        'How ROS messages are received: natively, on a thread of its own and with the time stamps of the publishers (native; the add-on must be built), by rclnodejs, or natively if the add-on is built and fits (auto). In the URI: receive=.',
    },
    ['auto', 'native', 'rclnodejs'],
  ),
  'ros.receive_max_bytes': bytes({
    role,
    flag: 'ros-receive-max-bytes',
    default: 64 * 2 ** 20,
    min: 2 ** 20,
    max: 2 ** 31,
    description:
      'Memory in which the native receiver of one domain keeps messages until the recorder takes them. Large messages have at most as much again. If it is full, messages are dropped and counted: of the lowest priority class first, of its fullest topic.',
  }),
  'ros.hidden_topics': toggle({
    role,
    default: false,
    flag: 'include-hidden-topics',
    description:
      'Records topics with a name part that begins with an underscore, including service events and actions. In the URI: hidden=.',
  }),
  'ros.service_events': toggle({
    role,
    default: false,
    flag: 'all-services',
    description:
      'Records service events (/..._service_event) where services publish them. In the URI: services=.',
  }),
  'ros.actions': toggle({
    role,
    default: false,
    flag: 'all-actions',
    description: 'Records feedback and status of actions. In the URI: actions=.',
  }),
  'ros.own_topics': toggle({
    role,
    default: false,
    flag: 'own-topics',
    description:
      'Records also what only nodes named holdfast_recorder or holdfast_sync publish. In the URI: own=.',
  }),
  'ros.silent_after_ms': duration({
    role,
    flag: 'ros-silent-after',
    default: 10_000,
    min: 0,
    max: 86_400_000,
    description:
      'Time without a message after which a steady topic whose publisher is there counts as silent: it is subscribed to again, the alert topic_silent is raised, and a gap not_received is recorded. 0: no topic counts as silent. In the URI: silent_after=.',
  }),
  'ros.silent_periods': count(
    {
      role,
      flag: 'ros-silent-periods',
      default: 10,
      min: 2,
      max: 1_000,
      description:
        'A topic counts as silent only after this many of its usual periods as well. In the URI: silent_periods=.',
    },
    'periods',
  ),
  'ros.use_sim_time': toggle({
    role,
    default: false,
    flag: 'use-sim-time',
    description:
      'Stamps messages with /clock and records nothing before its first message. In the URI: use_sim_time=.',
  }),
} as const;

interface RosValues {
  readonly 'ros.domains': string;
  readonly 'ros.robots': string;
  readonly 'ros.global_topics': RosSourceOptions['global'];
  readonly 'ros.poll_ms': number;
  readonly 'ros.reader_depth': number;
  readonly 'ros.hidden_topics': boolean;
  readonly 'ros.service_events': boolean;
  readonly 'ros.actions': boolean;
  readonly 'ros.own_topics': boolean;
  readonly 'nodes.include': readonly RegExp[];
  readonly 'nodes.exclude': readonly RegExp[];
  readonly qos_profile_overrides_path: string;
  readonly static_topics: readonly StaticTopic[];
  readonly static_topics_path: string;
  readonly 'ros.use_sim_time': boolean;
  readonly 'ros.silent_after_ms': number;
  readonly 'ros.silent_periods': number;
  readonly 'ros.receive': RosSourceOptions['receive'];
  readonly 'ros.receive_max_bytes': number;
}

/** The parameters for a source `ros:` whose URI does not state them. */
export function rosSourceOptions(values: RosValues): RosSourceOptions {
  const domains = values['ros.domains'];
  const robots = values['ros.robots'];
  const depth = values['ros.reader_depth'];
  const overrides = values.qos_profile_overrides_path;
  const staticTopics = values.static_topics_path;
  return {
    domains: (domains === '' ? undefined : parseDomains(domains)) ?? [{ id: undefined }],
    robots: robots === '' ? undefined : parseRobots(robots),
    global: values['ros.global_topics'],
    receive: values['ros.receive'],
    receiveMaxBytes: values['ros.receive_max_bytes'],
    pollMs: values['ros.poll_ms'],
    depth: depth < 0 ? undefined : depth,
    hidden: values['ros.hidden_topics'],
    services: values['ros.service_events'],
    actions: values['ros.actions'],
    own: values['ros.own_topics'],
    includeNodes: values['nodes.include'],
    excludeNodes: values['nodes.exclude'],
    qosOverridesPath: overrides === '' ? undefined : overrides,
    staticTopics: values.static_topics,
    staticTopicsPath: staticTopics === '' ? undefined : staticTopics,
    useSimTime: values['ros.use_sim_time'],
    silentAfterMs: values['ros.silent_after_ms'],
    silentPeriods: values['ros.silent_periods'],
    nodeName: DEFAULT_NODE_NAME,
    namespace: '',
  };
}
