/** The robot of topics that belong to no robot by name, if the rule is `shared`. */
export const SHARED_ROBOT = '_shared';

/** The robot of a topic outside every robot's namespace (`/tf`, `/diagnostics`, `/clock`). */
export type GlobalRule = 'concerned' | 'shared' | 'all';

export type RobotRule =
  /** Every topic belongs to the robot of this function: one robot, or the first segment of the topic. */
  | { readonly kind: 'by-topic'; readonly robotOf: (topic: string) => string }
  /** Namespaces are robots: those listed, or those of the nodes in the graph. */
  | {
      readonly kind: 'namespaces';
      /** With a leading slash; `auto`: the first segment of every node's namespace. */
      readonly namespaces: readonly string[] | 'auto';
      readonly global: GlobalRule;
      /** Instead of `_shared`: the one robot of a domain. */
      readonly fallback?: string;
    };

export interface TopicInGraph {
  readonly topic: string;
  /** Namespaces of its publishing nodes, `/` or `/robot_1/arm`. */
  readonly publisherNamespaces: readonly string[];
  /** Namespaces of all nodes in the graph. */
  readonly nodeNamespaces: readonly string[];
}

/** How a topic's robots were found: a better way replaces the result of a lesser one. */
export const RANK = { fallback: 0, everyone: 1, own: 2 } as const;

export interface RobotDecision {
  readonly robots: readonly string[];
  readonly rank: (typeof RANK)[keyof typeof RANK];
}

/** The robots of {@link decideRobots}. */
export function robotsOfTopic(rule: RobotRule, graph: TopicInGraph): readonly string[] {
  return decideRobots(rule, graph).robots;
}

/**
 * The robots that a topic belongs to; at least one. If its name lies in a robot's namespace, that robot.
 * Otherwise it is global, and the rule decides. `concerned`: the robots whose nodes publish it (all known
 * robots if none of them does, as for a simulator's /clock). `all`: all known robots. `shared`: `_shared`.
 */
export function decideRobots(rule: RobotRule, graph: TopicInGraph): RobotDecision {
  if (rule.kind === 'by-topic') return { robots: [rule.robotOf(graph.topic)], rank: RANK.own };
  const fallback: RobotDecision = { robots: [rule.fallback ?? SHARED_ROBOT], rank: RANK.fallback };
  // A publisher may appear before the list of nodes has its node.
  const inGraph = [...graph.nodeNamespaces, ...graph.publisherNamespaces];
  const namespaces = rule.namespaces === 'auto' ? firstSegments(inGraph) : rule.namespaces;
  const own = owner(namespaces, graph.topic);
  if (own !== undefined) return { robots: [robotName(own)], rank: RANK.own };
  const known = rule.namespaces === 'auto' ? namespaces : [...namespaces].sort();
  const everyone: RobotDecision =
    known.length > 0 ? { robots: known.map(robotName), rank: RANK.everyone } : fallback;
  switch (rule.global) {
    case 'shared':
      return fallback;
    case 'all':
      return everyone;
    case 'concerned': {
      const concerned = new Set(
        graph.publisherNamespaces.map((namespace) => owner(namespaces, `${namespace}/`) ?? ''),
      );
      concerned.delete('');
      if (concerned.size > 0) return { robots: [...concerned].sort().map(robotName), rank: RANK.own };
      return everyone;
    }
  }
}

/** The longest namespace that contains a full name. */
function owner(namespaces: readonly string[], name: string): string | undefined {
  let best: string | undefined;
  for (const namespace of namespaces) {
    if (name.startsWith(`${namespace}/`) && namespace.length > (best?.length ?? -1)) best = namespace;
  }
  return best;
}

/** `/robot_1/arm` and `/robot_1` both belong to `/robot_1`; nodes without a namespace belong to no robot. */
function firstSegments(namespaces: readonly string[]): readonly string[] {
  const first = namespaces.map((namespace) => namespace.split('/')[1] ?? '').filter((name) => name !== '');
  // Hidden namespaces belong to tools, not to robots.
  return [...new Set(first.filter((name) => !name.startsWith('_')).map((name) => `/${name}`))].sort();
}

function robotName(namespace: string): string {
  return namespace.slice(1);
}
