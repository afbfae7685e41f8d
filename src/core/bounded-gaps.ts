import type { Gap, GapReason } from './gap.js';
import { mergeGaps } from './merge-gaps.js';

/** Number of gaps that get a record of their own; later ones share one record per reason and robot. */
export const GAPS_KEPT = 1000;
/** Number of robots that get records of their own; gaps of later robots go to the record of an earlier robot. */
const ROBOTS_KEPT = 1000;
/** Number of topics named in a record that stands for many gaps. */
const NAMES_TOLD = 20;
const NAME_MAX_CHARS = 100;

interface Aggregate {
  gap: Gap;
  readonly names: Set<string>;
  more: boolean;
}

export interface BoundedGapsOptions {
  /** The id of the record that stands for many gaps of a reason and a robot. */
  readonly idOf: (reason: GapReason, robot: string) => string;
  /**
   * A gap that settles the numbers of its topic gets a record of that topic, even beyond the limit. Default:
   * false.
   */
  readonly keepSettled?: boolean;
  /** Default: {@link GAPS_KEPT}. */
  readonly max?: number;
}

/**
 * Keeps gaps in bounded memory, for any number of topics and robots. The first `max` gaps keep their own
 * records. Later gaps of a known reason, robot and topic are merged into those. All others are added up per
 * reason and robot, with the names of the first topics. Counts and times stay correct; the loss per topic is
 * no longer known.
 */
export class BoundedGaps {
  readonly #options: BoundedGapsOptions;
  readonly #max: number;
  readonly #kept: Gap[] = [];
  readonly #places = new Map<string, number>();
  readonly #robots = new Set<string>();
  readonly #aggregates = new Map<string, Aggregate>();

  constructor(options: BoundedGapsOptions) {
    this.#options = options;
    this.#max = options.max ?? GAPS_KEPT;
  }

  get size(): number {
    return this.#kept.length + this.#aggregates.size;
  }

  /** No further gap gets a record of its own. */
  get full(): boolean {
    return this.#kept.length >= this.#max;
  }

  add(gap: Gap): void {
    const key = keyOf(gap);
    if (this.full) {
      const place = this.#places.get(key);
      if (place !== undefined) {
        this.#kept[place] = mergeGaps(this.#kept[place] as Gap, gap);
        return;
      }
    }
    const isSettling = this.#options.keepSettled === true && gap.settledThrough !== undefined;
    if (this.full && !isSettling) {
      this.#aggregate(gap);
      return;
    }
    if (!isSettling && !this.#admit(gap.robot)) {
      this.#aggregate(gap);
      return;
    }
    this.#places.set(key, this.#kept.length);
    this.#kept.push(gap);
  }

  /** Adds a gap to the record of its reason, robot and topic, even beyond the limit. */
  merge(gap: Omit<Gap, 'id'>): void {
    const place = this.#places.get(keyOf(gap));
    if (place === undefined) this.add({ ...gap, id: this.#options.idOf(gap.reason, gap.robot) });
    else this.#kept[place] = mergeGaps(this.#kept[place] as Gap, { ...gap, id: '' });
  }

  /** Adds a gap to the record that stands for many of its reason and robot. */
  #aggregate(gap: Omit<Gap, 'id'>): void {
    const { topic, detail: _, settledThrough: __, ...rest } = gap;
    const robot = this.#admit(gap.robot) ? gap.robot : (this.#robots.values().next().value ?? gap.robot);
    const name = robot === gap.robot ? topic : `${topic ?? 'all topics'} of robot ${gap.robot}`;
    const key = JSON.stringify([gap.reason, robot]);
    const known = this.#aggregates.get(key);
    // Numbers of different topics are independent of each other.
    const { firstSourceSequence: ___, lastSourceSequence: ____, ...common } = rest;
    const added: Gap = { ...common, robot, id: known?.gap.id ?? this.#options.idOf(gap.reason, robot) };
    const aggregate = known ?? { gap: added, names: new Set<string>(), more: false };
    if (known) known.gap = mergeGaps(known.gap, added);
    else this.#aggregates.set(key, aggregate);
    const short = (name ?? 'all topics').slice(0, NAME_MAX_CHARS);
    if (aggregate.names.size < NAMES_TOLD) aggregate.names.add(short);
    else if (!aggregate.names.has(short)) aggregate.more = true;
  }

  /** All records, those of single gaps first. */
  list(): Gap[] {
    const aggregates = [...this.#aggregates.values()].map(({ gap, names, more }) => {
      const detail = `several gaps told as one: ${[...names].join(', ')}${more ? ' and more' : ''}`;
      return { ...gap, detail };
    });
    return [...this.#kept, ...aggregates];
  }

  /** Returns what {@link list} returns, and starts from empty. */
  take(): Gap[] {
    const gaps = this.list();
    this.#kept.length = 0;
    this.#places.clear();
    this.#aggregates.clear();
    return gaps;
  }

  /** Returns false if the limit of robots is reached, so that this one gets no record of its own. */
  #admit(robot: string): boolean {
    if (this.#robots.has(robot)) return true;
    if (this.#robots.size >= ROBOTS_KEPT) return false;
    this.#robots.add(robot);
    return true;
  }
}

function keyOf({ reason, robot, topic }: Omit<Gap, 'id'>): string {
  return JSON.stringify([reason, robot, topic]);
}
