import type { FieldSpec } from '../../src/uplink/protocol/field-spec.js';
import { quantumOf } from '../../src/uplink/protocol/field-spec.js';

/** Names of the eight numbers of each simulated robot, with their thresholds. */
const thresholds = {
  ...{ latitude: 1e-5, longitude: 1e-5, altitude: 1, speed: 0.9 },
  ...{ power: 5, charge: 0.5, heading: 5, temperature: 0.5 },
} as const;

/** The sample's own time is in the latitude, so that a page shows how old what it shows is. */
const DEGREES_PER_S = 1e-3;
const TURN_S = 40_000;

export const fieldNames = Object.keys(thresholds) as readonly (keyof typeof thresholds)[];

export const fieldSpecs: readonly FieldSpec[] = fieldNames.map((path) => ({
  ...{ topic: '/state', path, unit: '', threshold: thresholds[path], quantum: quantumOf(thresholds[path]) },
  ...{ everyTicks: 1, predictor: 'hold' as const },
}));

/** The numbers of a robot at a time, in the order of the names. Every second or third one changes at a tick. */
export function valuesAt(robot: number, atMs: number): number[] {
  const s = atMs / 1_000;
  const wave = (periodS: number): number => Math.sin((2 * Math.PI * s) / periodS + robot);
  const latitude = (s % TURN_S) * DEGREES_PER_S;
  return [latitude, 10 + robot * 1e-3, 100 + 5 * wave(60), 15 + 10 * wave(20)].concat([
    ...[20 + 60 * wave(13), 80 - (s % 600) / 60, 180 + 170 * wave(45), 35 + wave(300)],
  ]);
}

/** When a latitude was measured: the latest such time before `nowMs`. */
export function measuredAtMs(latitude: number, nowMs: number): number {
  const turnMs = TURN_S * 1_000;
  return Math.floor(nowMs / turnMs) * turnMs + (latitude / DEGREES_PER_S) * 1_000;
}
