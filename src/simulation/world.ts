/** An upright cylinder. Lengths in metres. */
export interface Pillar {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** A wall between two points. */
export interface Wall {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

export interface Hit {
  /** Distance to the hit, metres; Infinity: nothing. */
  distance: number;
  /** Index of the hit object, for colours: walls from 0, then pillars; -1: nothing. */
  surface: number;
}

export const WALL_HEIGHT_M = 2.5;

/** Half the arena's length and width, metres. The vehicles' lanes (track.ts) leave the obstacles free. */
const HALF_LENGTH_M = 12;
const HALF_WIDTH_M = 8;

function box(x: number, y: number, halfLength: number, halfWidth: number): Wall[] {
  const [left, right, low, high] = [x - halfLength, x + halfLength, y - halfWidth, y + halfWidth];
  return [
    { x1: left, y1: low, x2: right, y2: low },
    { x1: right, y1: low, x2: right, y2: high },
    { x1: right, y1: high, x2: left, y2: high },
    { x1: left, y1: high, x2: left, y2: low },
  ];
}

export const walls: readonly Wall[] = [...box(0, 0, HALF_LENGTH_M, HALF_WIDTH_M), ...box(0, 0, 1.6, 0.4)];

export const pillars: readonly Pillar[] = [
  { x: -3, y: 0, radius: 0.25 },
  { x: 3, y: 0, radius: 0.25 },
  ...[-1, 1].flatMap((side) => [
    { x: -11, y: 7 * side, radius: 0.45 },
    { x: 0, y: 7.4 * side, radius: 0.3 },
    { x: 11, y: 7 * side, radius: 0.45 },
  ]),
];

/** Whether a disc touches a wall or a pillar. */
export function collides(x: number, y: number, radius: number): boolean {
  if (Math.abs(x) > HALF_LENGTH_M - radius || Math.abs(y) > HALF_WIDTH_M - radius) return true;
  if (Math.abs(x) < 1.6 + radius && Math.abs(y) < 0.4 + radius) return true;
  return pillars.some((pillar) => Math.hypot(x - pillar.x, y - pillar.y) < pillar.radius + radius);
}

/**
 * Casts a ray from a point along an angle (radians) at walls, pillars and further round objects, and writes
 * the nearest hit into `hit`.
 */
export function castRay(x: number, y: number, angle: number, others: readonly Pillar[], hit: Hit): void {
  const dx = Math.cos(angle);
  const dy = Math.sin(angle);
  hit.distance = Infinity;
  hit.surface = -1;
  for (let i = 0; i < walls.length; i++) {
    const distance = toWall(x, y, dx, dy, walls[i]!);
    if (distance < hit.distance) {
      hit.distance = distance;
      hit.surface = i;
    }
  }
  for (let i = 0; i < pillars.length; i++) {
    const distance = toPillar(x, y, dx, dy, pillars[i]!);
    if (distance < hit.distance) {
      hit.distance = distance;
      hit.surface = walls.length + i;
    }
  }
  for (const other of others) {
    const distance = toPillar(x, y, dx, dy, other);
    if (distance < hit.distance) {
      hit.distance = distance;
      hit.surface = walls.length + pillars.length;
    }
  }
}

function toWall(x: number, y: number, dx: number, dy: number, wall: Wall): number {
  const wx = wall.x2 - wall.x1;
  const wy = wall.y2 - wall.y1;
  const determinant = dx * wy - dy * wx;
  if (Math.abs(determinant) < 1e-9) return Infinity;
  const along = ((wall.x1 - x) * wy - (wall.y1 - y) * wx) / determinant;
  const across = ((wall.x1 - x) * dy - (wall.y1 - y) * dx) / determinant;
  return along > 0 && across >= 0 && across <= 1 ? along : Infinity;
}

function toPillar(x: number, y: number, dx: number, dy: number, pillar: Pillar): number {
  const px = pillar.x - x;
  const py = pillar.y - y;
  const along = px * dx + py * dy;
  if (along <= 0) return Infinity;
  const aside = px * px + py * py - along * along;
  const inside = pillar.radius * pillar.radius - aside;
  return inside < 0 ? Infinity : along - Math.sqrt(inside);
}
