import { TIME_BUCKETS, type DiagnosticFacts } from '../../exporters/report/report-data.js';

/** One status of a `diagnostic_msgs/msg/DiagnosticArray`, decoded. */
export interface DiagnosticStatus {
  readonly level: number;
  readonly name: string;
  readonly message: string;
  readonly hardware_id: string;
}

const LANES_MAX = 200;
const TEXT_MAX = 300;
const STALE = 3;

interface Lane {
  readonly robot: string;
  readonly name: string;
  readonly hardware: string;
  readonly levels: Uint8Array;
  readonly counts: [number, number, number, number];
  worst: number;
  worstMessage: string;
  worstAtS: number;
}

/** Levels of each diagnostic over time. */
export class DiagnosticsCollector {
  readonly #lanes = new Map<string, Lane>();
  readonly #omitted = new Set<string>();
  #more = 0;

  add(robot: string, bucket: number, atS: number, status: DiagnosticStatus): void {
    const name = status.name.slice(0, TEXT_MAX);
    const hardware = status.hardware_id.slice(0, TEXT_MAX);
    const key = JSON.stringify([robot, name, hardware]);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      if (this.#lanes.size >= LANES_MAX) {
        // Counted exactly while that is cheap.
        if (this.#omitted.size < 10 * LANES_MAX) this.#omitted.add(key);
        else if (!this.#omitted.has(key)) this.#more = 1;
        return;
      }
      const levels = new Uint8Array(TIME_BUCKETS).fill(255);
      lane = {
        robot,
        name,
        hardware,
        levels,
        counts: [0, 0, 0, 0],
        worst: -1,
        worstMessage: '',
        worstAtS: 0,
      };
      this.#lanes.set(key, lane);
    }
    const level = Math.min(STALE, Math.max(0, Math.floor(status.level)));
    lane.counts[level]!++;
    if (lane.levels[bucket] === 255 || rank(level) > rank(lane.levels[bucket]!)) lane.levels[bucket] = level;
    if (lane.worst < 0 || rank(level) > rank(lane.worst)) {
      lane.worst = level;
      lane.worstMessage = status.message.slice(0, TEXT_MAX);
      lane.worstAtS = atS;
    }
  }

  facts(): DiagnosticFacts {
    const lanes = [...this.#lanes.values()].sort(
      (a, b) => rank(b.worst) - rank(a.worst) || compare(a.robot, b.robot) || compare(a.name, b.name),
    );
    return { lanes, omitted: this.#omitted.size + this.#more };
  }
}

/** OK, STALE, WARN, ERROR: a stale value ranks below a warning. */
function rank(level: number): number {
  return [0, 2, 3, 1][level] ?? 0;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
