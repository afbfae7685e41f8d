import { feature, mesh } from 'topojson-client';

/** A point of the map: the square from 0 to 1 in Web Mercator. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Country {
  readonly name: string;
  /** The middle of its largest part, and the width of that part. */
  readonly at: Point;
  readonly width: number;
}

/** The outlines of the world, ready to be drawn. */
export interface World {
  readonly land: Path2D;
  readonly borders: Path2D;
  readonly countries: readonly Country[];
}

type Ring = readonly (readonly number[])[];
interface Shape {
  readonly type: string;
  readonly coordinates: unknown;
}
interface Atlas {
  readonly objects: { readonly countries: never; readonly land: never };
}

/** Mercator ends here: beyond, the map would be infinitely high. */
const MAX_LATITUDE = 85;
const POLE_LATITUDE = -80;

export function project(latitude: number, longitude: number): Point {
  const limited = Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, latitude));
  const radians = (limited * Math.PI) / 180;
  return { x: longitude / 360 + 0.5, y: 0.5 - Math.log(Math.tan(Math.PI / 4 + radians / 2)) / (2 * Math.PI) };
}

/** Metres of one unit of the map at a place. */
export function metresAt(y: number): number {
  const radians = 2 * Math.atan(Math.exp(Math.PI * (1 - 2 * y))) - Math.PI / 2;
  return 40_075_016.686 * Math.cos(radians);
}

let loading: Promise<World> | undefined;

/** Loads the outlines from the ground itself, once. Rejects if it does not have them. */
export function loadWorld(): Promise<World> {
  loading ??= fetch('world.json').then(async (answer) => {
    if (!answer.ok) throw new Error(`the outlines of the map: ${answer.status}`);
    return prepare((await answer.json()) as Atlas);
  });
  loading.catch(() => (loading = undefined));
  return loading;
}

function prepare(atlas: Atlas): World {
  const land = new Path2D();
  for (const { geometry } of features(atlas, atlas.objects.land))
    for (const ring of ringsOf(geometry)) trace(land, ring, true);
  const borders = new Path2D();
  const inner = mesh(atlas as never, atlas.objects.countries, (a: unknown, b: unknown) => a !== b);
  for (const line of inner.coordinates as Ring[]) trace(borders, line, false);
  const countries = features(atlas, atlas.objects.countries).map(({ geometry, properties }) => ({
    ...middleOf(ringsOf(geometry)),
    name: properties?.name ?? '',
  }));
  return { land, borders, countries };
}

interface Feature {
  readonly geometry: Shape;
  readonly properties: { readonly name?: string } | null;
}

function features(atlas: Atlas, object: never): readonly Feature[] {
  const found = feature(atlas as never, object) as unknown as Feature | { readonly features: Feature[] };
  return 'features' in found ? found.features : [found];
}

function ringsOf({ type, coordinates }: Shape): readonly Ring[] {
  if (type === 'Polygon') return coordinates as Ring[];
  return type === 'MultiPolygon' ? (coordinates as Ring[][]).flat() : [];
}

function trace(path: Path2D, line: Ring, isClosed: boolean): void {
  const points = unwrapped(line);
  const isBeyond = points.some(({ x }) => x > 1 || x < 0);
  // What crosses the antimeridian is drawn at both ends of the map.
  for (const shift of isBeyond ? [-1, 0, 1] : [0]) {
    for (const [index, { x, y }] of points.entries()) {
      if (index === 0) path.moveTo(x + shift, y);
      else path.lineTo(x + shift, y);
    }
    if (isClosed) path.closePath();
  }
}

/** Without the jump from one end of the map to the other, which would be a line across it. */
function unwrapped(line: Ring): readonly Point[] {
  let [turns, before] = [0, line[0]?.[0] ?? 0];
  return line.map(([longitude = 0, latitude = 0]) => {
    // Around the pole, the outline really goes along the whole edge.
    if (latitude > POLE_LATITUDE && Math.abs(longitude - before) > 180) turns += longitude < before ? 1 : -1;
    before = longitude;
    return project(latitude, longitude + turns * 360);
  });
}

function middleOf(rings: readonly Ring[]): { readonly at: Point; readonly width: number } {
  let found = { at: { x: 0, y: 0 }, width: 0 };
  for (const ring of rings) {
    const points = unwrapped(ring);
    const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
    const width = right - left;
    if (width > found.width) found = { at: { x: (left + right) / 2, y: (top + bottom) / 2 }, width };
  }
  return found;
}
