import type { Point } from './world.js';

/** The part of the map that is shown. */
export interface MapView {
  readonly centre: Point;
  /** Pixels of one unit of the map. */
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const MAX_SCALE = 2 ** 30;
/** At most 1.2 km: robots that stand side by side do not fill the map. */
const MIN_SPAN = 3e-5;
const MARGIN = 1.25;

/** Shows all points; without points, the inhabited world. */
export function fit(points: readonly Point[], size: Size): MapView {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, right] = points.length === 0 ? [0.02, 0.98] : [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = points.length === 0 ? [0.2, 0.7] : [Math.min(...ys), Math.max(...ys)];
  const margin = points.length === 0 ? 1 : MARGIN;
  const across = Math.max(MIN_SPAN, right - left) * margin;
  const down = Math.max(MIN_SPAN, bottom - top) * margin;
  const scale = Math.min(size.width / across, size.height / down);
  return limited({ centre: { x: (left + right) / 2, y: (top + bottom) / 2 }, scale }, size);
}

/** Zooms so that what is at `at` (pixels) stays there. */
export function zoom(view: MapView, factor: number, at: Point, size: Size): MapView {
  const under = toMap(view, at, size);
  const { scale } = limited({ ...view, scale: view.scale * factor }, size);
  const centre = {
    x: under.x - (at.x - size.width / 2) / scale,
    y: under.y - (at.y - size.height / 2) / scale,
  };
  return limited({ centre, scale }, size);
}

export function pan(view: MapView, dx: number, dy: number, size: Size): MapView {
  const { x, y } = view.centre;
  return limited({ ...view, centre: { x: x - dx / view.scale, y: y - dy / view.scale } }, size);
}

export function toPixels({ centre, scale }: MapView, { x, y }: Point, size: Size): Point {
  return { x: (x - centre.x) * scale + size.width / 2, y: (y - centre.y) * scale + size.height / 2 };
}

function toMap({ centre, scale }: MapView, { x, y }: Point, size: Size): Point {
  return { x: centre.x + (x - size.width / 2) / scale, y: centre.y + (y - size.height / 2) / scale };
}

function limited({ centre, scale }: MapView, { width, height }: Size): MapView {
  const least = Math.max(1, Math.min(width, height) * 0.8);
  const within = (value: number): number => Math.max(0, Math.min(1, value));
  return {
    centre: { x: within(centre.x), y: within(centre.y) },
    scale: Math.max(least, Math.min(MAX_SCALE, scale)),
  };
}
