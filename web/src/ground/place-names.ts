import type { Point } from './world.js';

/** The name of a robot, where the robot is, and how wide the name is. Pixels. */
export interface MapName {
  readonly name: string;
  readonly at: Point;
  readonly width: number;
}

/** A text that begins here, on its base line. */
export interface PlacedName {
  readonly name: string;
  readonly at: Point;
}

const LINE_PX = 13;
/** From the middle of a robot to its name. */
const ASIDE_PX = 10;
/** From the middle of a line to its base line. */
const BASE_PX = 4;

/** Places names beside their robots. Those that would cover one another stand in lines, the northern one first. */
export function placeNames(names: readonly MapName[]): readonly PlacedName[] {
  const taken: { readonly left: number; readonly right: number; readonly y: number }[] = [];
  const ordered = names.toSorted((a, b) => a.at.y - b.at.y || (a.name < b.name ? -1 : 1));
  return ordered.map(({ name, at, width }) => {
    const left = at.x + ASIDE_PX;
    const right = left + width;
    let { y } = at;
    for (const one of taken.toSorted((a, b) => a.y - b.y)) {
      if (one.left < right && left < one.right && Math.abs(one.y - y) < LINE_PX) y = one.y + LINE_PX;
    }
    taken.push({ left, right, y });
    return { name, at: { x: left, y: y + BASE_PX } };
  });
}
