import type { Publisher } from './endpoints.js';

export interface TopicRules {
  /** The recorder's include and exclude rules for topic and type. */
  readonly wanted: (topic: string, type: string) => boolean;
  /** Only topics that one of these nodes publishes; empty: all. Matched against `/namespace/name`. */
  readonly includeNodes: readonly RegExp[];
  /** Not topics that only these nodes publish. */
  readonly excludeNodes: readonly RegExp[];
  readonly hidden: boolean;
  readonly services: boolean;
  readonly actions: boolean;
  /** Also topics that only Holdfast's own nodes publish. */
  readonly own: boolean;
  /** Whether a node with this base name is one of Holdfast's own. */
  readonly isOwnNode: (name: string) => boolean;
}

/** Why a topic is not recorded. */
export type NotRecorded =
  'not wanted' | 'hidden' | 'service event' | 'action' | 'own' | 'node not included' | 'node excluded';

/**
 * Whether a topic with these publishers is recorded: undefined, or why not. A topic with other publishers too
 * is recorded even if one of its publishers is excluded or is Holdfast itself, because a subscription
 * receives from all.
 */
export function whyNotRecorded(
  rules: TopicRules,
  topic: string,
  type: string,
  publishers: readonly Publisher[],
): NotRecorded | undefined {
  if (isServiceEvent(topic)) {
    if (!rules.services && !rules.hidden) return 'service event';
  } else if (isAction(topic)) {
    if (!rules.actions && !rules.hidden) return 'action';
  } else if (isHidden(topic) && !rules.hidden) return 'hidden';
  if (!rules.wanted(topic, type)) return 'not wanted';
  const names = publishers.map(fullName);
  const others = rules.own ? publishers : publishers.filter(({ node }) => !rules.isOwnNode(node));
  if (others.length === 0) return 'own';
  const { includeNodes, excludeNodes } = rules;
  if (includeNodes.length > 0 && !names.some((name) => includeNodes.some((rule) => rule.test(name)))) {
    return 'node not included';
  }
  if (others.every((publisher) => excludeNodes.some((rule) => rule.test(fullName(publisher))))) {
    return 'node excluded';
  }
  return undefined;
}

/** `/robot_1/lidar`. */
export function fullName({ node, namespace }: Publisher): string {
  return namespace === '/' ? `/${node}` : `${namespace}/${node}`;
}

export function isServiceEvent(topic: string): boolean {
  return topic.endsWith('/_service_event');
}

function isAction(topic: string): boolean {
  return /\/_action\/(feedback|status)$/.test(topic);
}

/** As in rclpy: any part of the name begins with an underscore. */
function isHidden(topic: string): boolean {
  return topic.includes('/_');
}
