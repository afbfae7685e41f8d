import type { TrackPlot } from '../../exporters/report/report-data.js';
import { TrackLine } from './track-line.js';
import { frameKind, TransformTree, type Transform } from './transform-tree.js';

/** Maximum number of lines; further ones are left out. */
const TRACKS_MAX = 120;
/** Minimum silence that can break a line, nanoseconds. */
const BREAK_NS = 1_000_000_000n;
/** First steps: a millimetre, and about a centimetre in degrees. */
const STEP_M = 1e-3;
const STEP_DEGREES = 1e-7;
const METRES_PER_DEGREE = 111_195;

interface Entry {
  readonly plot: string;
  readonly kind: 'plane' | 'geographic';
  readonly robot: string;
  readonly topic: string;
  readonly line: TrackLine;
}

/** The paths of the robots: lines in the same frame share a plot. */
export class TrackBoard {
  readonly #entries = new Map<string, Entry>();
  readonly #trees = new Map<string, TransformTree>();

  constructor(readonly robots: readonly string[]) {}

  add(
    robot: string,
    topic: string,
    kind: 'plane' | 'geographic',
    frame: string,
    time: bigint,
    x: number,
    y: number,
  ): void {
    const plot = kind === 'geographic' ? 'latitude and longitude' : frameKind(frame) || 'frame not said';
    const key = JSON.stringify([robot, topic, plot]);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= TRACKS_MAX) {
        return;
      }
      const line =
        kind === 'geographic'
          ? new TrackLine(STEP_DEGREES, geographicMetres, BREAK_NS)
          : new TrackLine(STEP_M, (ax, ay, bx, by) => Math.hypot(bx - ax, by - ay), BREAK_NS);
      this.#entries.set(key, (entry = { plot, kind, robot, topic, line }));
    }
    // Receivers without a fix report 0/0 or NaN.
    if (kind === 'geographic' && x === 0 && y === 0) return;
    entry.line.add(time, x, y);
  }

  addTransform(robot: string, topic: string, time: bigint, transform: Transform): void {
    let tree = this.#trees.get(robot);
    if (tree === undefined) this.#trees.set(robot, (tree = new TransformTree()));
    const moved = tree.add(transform);
    if (moved === undefined) return;
    // On one topic of a whole fleet, the frame's prefix names the robot.
    const base = transform.child_frame_id;
    const owner = robot === '' && base.includes('/') ? base.slice(0, base.lastIndexOf('/')) : robot;
    const label = owner === robot ? topic : `${topic} ${base}`;
    this.add(owner, label, 'plane', moved.root, time, moved.pose.x, moved.pose.y);
  }

  plots(): TrackPlot[] {
    const plots = new Map<string, Entry[]>();
    for (const entry of this.#entries.values()) {
      if (entry.line.count > 0) plots.set(entry.plot, [...(plots.get(entry.plot) ?? []), entry]);
    }
    return [...plots]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([plot, entries]) => {
        const { kind } = entries[0]!;
        return {
          title: kind === 'geographic' ? 'Position by satellite' : `On a plane, frame ${plot}`,
          kind,
          tracks: entries
            .map(({ robot, topic, line }) => ({
              robot,
              robotIndex: Math.max(0, this.robots.indexOf(robot)),
              label: topic,
              points: line.points(),
              lengthM: line.lengthM,
              count: line.count,
            }))
            .sort((a, b) => (a.robot + a.label < b.robot + b.label ? -1 : 1)),
        };
      });
  }
}

function geographicMetres(fromLon: number, fromLat: number, toLon: number, toLat: number): number {
  const cos = Math.cos((((fromLat + toLat) / 2) * Math.PI) / 180);
  return METRES_PER_DEGREE * Math.hypot((toLon - fromLon) * cos, toLat - fromLat);
}
