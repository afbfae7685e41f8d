import { colour } from '../ui/colour.js';
import type { MapTiles } from './map-tiles.js';
import type { Tone } from './judge.js';
import { toPixels, type MapView, type Size } from './map-view.js';
import { placeNames } from './place-names.js';
import { metresAt, type Point, type World } from './world.js';

/** A robot with a position. */
export interface MapRobot {
  readonly robot: string;
  readonly tone: Tone;
  readonly connected: boolean;
  readonly latitude: number;
  readonly longitude: number;
}

export interface MapPicture {
  readonly size: Size;
  readonly view: MapView;
  /** Undefined: the outlines are not loaded. */
  readonly world: World | undefined;
  /** Undefined: only the outlines. */
  readonly tiles: MapTiles | undefined;
  readonly robots: readonly MapRobot[];
  /** Of the robots, in the same order. */
  readonly points: readonly Point[];
}

/** Names are drawn for so many robots at most; more would cover one another. */
const NAMES_MAX = 30;
const COUNTRY_PX = 90;

/** Draws the map. */
export function drawMap(canvas: HTMLCanvasElement, picture: MapPicture): void {
  const { size, view, world, tiles } = picture;
  const density = devicePixelRatio;
  canvas.width = Math.round(size.width * density);
  canvas.height = Math.round(size.height * density);
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.fillStyle = colour('info-shade');
  context.fillRect(0, 0, size.width, size.height);
  if (world !== undefined) drawWorld(context, world, view, size, density);
  tiles?.draw(context, view, size);
  drawRobots(context, picture);
  drawScale(context, view, size);
}

function drawWorld(
  context: CanvasRenderingContext2D,
  { land, borders, countries }: World,
  view: MapView,
  size: Size,
  density: number,
): void {
  const { scale, centre } = view;
  const k = scale * density;
  context.save();
  const [left, top] = [size.width / 2 - centre.x * scale, size.height / 2 - centre.y * scale];
  context.setTransform(k, 0, 0, k, left * density, top * density);
  context.fillStyle = colour('field');
  context.fill(land);
  context.lineWidth = 1 / scale;
  context.strokeStyle = colour('ink-3');
  context.stroke(land);
  context.strokeStyle = colour('line');
  context.stroke(borders);
  context.restore();
  context.fillStyle = colour('ink-3');
  context.font = '11px B612, sans-serif';
  context.textAlign = 'center';
  for (const { name, at, width } of countries) {
    if (width * scale < COUNTRY_PX) continue;
    const { x, y } = toPixels(view, at, size);
    context.fillText(name, x, y);
  }
}

function drawRobots(context: CanvasRenderingContext2D, { robots, points, view, size }: MapPicture): void {
  const places = points.map((point) => toPixels(view, point, size));
  const isShown = ({ x, y }: Point): boolean =>
    x > -20 && y > -20 && x < size.width + 20 && y < size.height + 20;
  // The worst last, so that nothing hides them.
  const shown = robots
    .map((robot, index) => ({ robot, at: places[index] ?? { x: -99, y: -99 } }))
    .filter(({ at }) => isShown(at))
    .sort((a, b) => weights[a.robot.tone] - weights[b.robot.tone]);
  for (const { robot, at } of shown) drawRobot(context, robot, at);
  if (shown.length > NAMES_MAX) return;
  context.font = '11px B612, sans-serif';
  context.textAlign = 'left';
  context.lineWidth = 3;
  context.strokeStyle = colour('field');
  context.fillStyle = colour('ink');
  const named = shown.map(({ robot: { robot }, at }) => ({
    name: robot,
    at,
    width: context.measureText(robot).width,
  }));
  for (const { name, at } of placeNames(named)) {
    context.strokeText(name, at.x, at.y);
    context.fillText(name, at.x, at.y);
  }
}

const weights = { ok: 0, info: 1, quiet: 2, warn: 3, bad: 4 } as const;

/** The tone is shown by the shape, too: a triangle or a cross stands out without colours. */
function drawRobot(context: CanvasRenderingContext2D, { tone, connected }: MapRobot, { x, y }: Point): void {
  context.beginPath();
  if (tone === 'bad') context.rect(x - 6, y - 6, 12, 12);
  else if (tone === 'warn') {
    context.moveTo(x, y - 8);
    context.lineTo(x + 7.5, y + 6);
    context.lineTo(x - 7.5, y + 6);
    context.closePath();
  } else context.arc(x, y, 5, 0, 2 * Math.PI);
  const ink = colour(tone === 'quiet' ? 'ink-3' : tone);
  context.lineWidth = 2;
  context.fillStyle = connected ? ink : colour('field');
  context.strokeStyle = connected ? colour('field') : ink;
  context.fill();
  context.stroke();
}

function drawScale(context: CanvasRenderingContext2D, { scale, centre }: MapView, size: Size): void {
  const metresPerPixel = metresAt(centre.y) / scale;
  const wanted = metresPerPixel * 110;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const metres = power * (wanted / power >= 5 ? 5 : wanted / power >= 2 ? 2 : 1);
  const length = metres / metresPerPixel;
  const [x, y] = [14, size.height - 14];
  context.strokeStyle = colour('ink-2');
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x, y - 5);
  context.lineTo(x, y);
  context.lineTo(x + length, y);
  context.lineTo(x + length, y - 5);
  context.stroke();
  context.fillStyle = colour('ink-2');
  context.font = '11px B612, sans-serif';
  context.textAlign = 'left';
  context.fillText(metres >= 1_000 ? `${metres / 1_000} km` : `${metres} m`, x + 6, y - 6);
}
