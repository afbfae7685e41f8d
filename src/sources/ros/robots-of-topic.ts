/** The robot of what belongs to no robot by name, where the rule says so. */
export const SHARED_ROBOT = '_shared';

/** Whose a topic outside every robot's namespace (`/tf`, `/diagnostics`, `/clock`) is. */
export type GlobalRule = 'concerned' | 'shared' | 'all';

export type RobotRule =
  /** Every topic is this function's robot: one robot, or the first segment of the topic. */
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
  /** Namespaces of the nodes that publish it, `/` or `/robot_1/arm`. */
  readonly publisherNamespaces: readonly string[];
  /** Namespaces of all nodes in the graph. */
  readonly nodeNamespaces: readonly string[];
}

/**
 * The robots a topic belongs to; at least one. By its name where that lies in a robot's namespace; otherwise
 * it is global, and the rule decides: `concerned` gives it to the robots whose nodes publish it (to all known
 * robots where none of those do, as a simulator's /clock), `all` to all known robots, `shared` to `_shared`.
 */
export function robotsOfTopic(rule: RobotRule, graph: TopicInGraph): readonly string[] {
  if (rule.kind === 'by-topic') return [rule.robotOf(graph.topic)];
  const fallback = [rule.fallback ?? SHARED_ROBOT];
  const namespaces = rule.namespaces === 'auto' ? firstSegments(graph.nodeNamespaces) : rule.namespaces;
  const own = owner(namespaces, graph.topic);
  if (own !== undefined) return [robotName(own)];
  const known = rule.namespaces === 'auto' ? namespaces : [...namespaces].sort();
  switch (rule.global) {
    case 'shared':
      return fallback;
    case 'all':
      return known.length > 0 ? known.map(robotName) : fallback;
    case 'concerned': {
      const concerned = new Set(
        graph.publisherNamespaces.map((namespace) => owner(namespaces, `${namespace}/`) ?? ''),
      );
      concerned.delete('');
      if (concerned.size > 0) return [...concerned].sort().map(robotName);
      return known.length > 0 ? known.map(robotName) : fallback;
    }
  }
}

/** The longest namespace a full name lies in. */
function owner(namespaces: readonly string[], name: string): string | undefined {
  let best: string | undefined;
  for (const namespace of namespaces) {
    if (name.startsWith(`${namespace}/`) && namespace.length > (best?.length ?? -1)) best = namespace;
  }
  return best;
}

/** `/robot_1/arm` and `/robot_1` are both of `/robot_1`; nodes without a namespace are nobody's. */
function firstSegments(namespaces: readonly string[]): readonly string[] {
  const first = namespaces.map((namespace) => namespace.split('/')[1] ?? '').filter((name) => name !== '');
  // Hidden namespaces belong to tools, not to robots.
  return [...new Set(first.filter((name) => !name.startsWith('_')).map((name) => `/${name}`))].sort();
}

function robotName(namespace: string): string {
  return namespace.slice(1);
}
