import type { Logger } from '../../core/logger.js';

export type RosProblemKind =
  | 'mixed-offers'
  | 'incompatible-qos'
  | 'two-types'
  | 'no-type-support'
  | 'no-definition'
  | 'messages-lost'
  | 'static-topic'
  | 'silent';

/** A condition that keeps the recording of a topic incomplete while it lasts. */
export interface RosProblem {
  readonly kind: RosProblemKind;
  readonly topic: string;
  /** A sentence for a person. */
  readonly detail: string;
  /** Nanoseconds since the Unix epoch. */
  readonly since: bigint;
}

/** Maximum number of problems kept; further ones are only logged. */
const MAX_PROBLEMS = 1_000;

/** The problems of one graph: logged when they begin, change and end. */
export class Problems {
  readonly #byKey = new Map<string, RosProblem>();

  readonly #logger: Logger;
  readonly #now: () => bigint;

  constructor(logger: Logger, now: () => bigint) {
    this.#logger = logger;
    this.#now = now;
  }

  get all(): readonly RosProblem[] {
    return [...this.#byKey.values()];
  }

  /** True if it is new. */
  set(kind: RosProblemKind, topic: string, detail: string): boolean {
    const key = `${kind} ${topic}`;
    const known = this.#byKey.get(key);
    if (known?.detail === detail) return false;
    this.#logger.warn(`ROS topic: ${kind}`, { topic, detail });
    if (known === undefined && this.#byKey.size >= MAX_PROBLEMS) return true;
    this.#byKey.set(key, { kind, topic, detail, since: known?.since ?? this.#now() });
    return known === undefined;
  }

  clear(kind: RosProblemKind, topic: string): void {
    if (this.#byKey.delete(`${kind} ${topic}`)) this.#logger.info(`ROS topic: no longer ${kind}`, { topic });
  }

  /** The topic is gone, and its problems with it. */
  forget(topic: string): void {
    for (const [key, problem] of this.#byKey) if (problem.topic === topic) this.#byKey.delete(key);
  }
}
