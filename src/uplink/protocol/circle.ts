import type { Circle } from './field-spec.js';

/** `a - b`; on a circle the shorter way, from -period / 2 up to, but not including, period / 2. */
export function difference(a: number, b: number, circle: Circle | undefined): number {
  const plain = a - b;
  if (circle === undefined) return plain;
  const { period } = circle;
  return plain - period * Math.floor(plain / period + 0.5);
}

/** The value between `lowest` and `lowest + period`. */
export function normalise(value: number, circle: Circle | undefined): number {
  if (circle === undefined) return value;
  const { period, lowest } = circle;
  const turned = value - period * Math.floor((value - lowest) / period);
  // Rounding can reach the end of the turn, which is its beginning.
  return turned >= lowest + period || turned < lowest ? lowest : turned;
}
