import {
  DEFAULT_NODE_NAME,
  DOMAINS_FORM,
  ROBOTS_FORM,
  parseDomains,
  parseRobots,
  type RosSourceOptions,
} from '../../sources/ros/ros-options.js';
import { choice, count, duration, regexes, text, toggle } from './parameter.js';

const role = 'recorder';

/** Rows of the parameter table for sources `ros:`; each may be stated in the URI instead. */
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
      'YAML file in the form of ros2 bag record: topics with the quality of service to ask for instead of one ' +
      'that suits all publishers. Source ros only; in the URI: qos=.',
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
      'How often the ROS graph is looked at: a new topic or publisher is noticed this late. In the URI: poll=.',
  }),
  'ros.reader_depth': count(
    {
      role,
      flag: 'ros-reader-depth',
      default: -1,
      min: -1,
      max: 1_000_000,
      description:
        'Messages the middleware keeps per topic until they are taken; more overwrite the oldest unnoticed. ' +
        '0: all. -1: all, or 5000 with middlewares that refuse at their own limits (Fast DDS, Connext). In the ' +
        'URI: depth=.',
    },
    'messages',
  ),
  'ros.hidden_topics': toggle({
    role,
    default: false,
    flag: 'include-hidden-topics',
    description:
      'Records topics with a name part that begins with an underscore, service events and actions among them. ' +
      'In the URI: hidden=.',
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
  readonly 'ros.use_sim_time': boolean;
}

/** What the parameters say about a source `ros:` whose URI says nothing. */
export function rosSourceOptions(values: RosValues): RosSourceOptions {
  const domains = values['ros.domains'];
  const robots = values['ros.robots'];
  const depth = values['ros.reader_depth'];
  const overrides = values.qos_profile_overrides_path;
  return {
    domains: (domains === '' ? undefined : parseDomains(domains)) ?? [{ id: undefined }],
    robots: robots === '' ? undefined : parseRobots(robots),
    global: values['ros.global_topics'],
    pollMs: values['ros.poll_ms'],
    depth: depth < 0 ? undefined : depth,
    hidden: values['ros.hidden_topics'],
    services: values['ros.service_events'],
    actions: values['ros.actions'],
    own: values['ros.own_topics'],
    includeNodes: values['nodes.include'],
    excludeNodes: values['nodes.exclude'],
    qosOverridesPath: overrides === '' ? undefined : overrides,
    useSimTime: values['ros.use_sim_time'],
    nodeName: DEFAULT_NODE_NAME,
    namespace: '',
  };
}
