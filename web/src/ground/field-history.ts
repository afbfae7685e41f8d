import type { FieldCurve } from './history-curve.js';
import type { FieldView } from './wire.js';

const POINTS_MAX = 600;

/** The name of a field: its topic and path. */
export function fieldKey({ topic, path }: Pick<FieldView, 'topic' | 'path'>): string {
  return `${topic} ${path}`;
}

/** The values that this page has seen, one point for each answer; null: unknown or absent. */
export class FieldHistory {
  /** Seconds since the Unix epoch, on the clock of the robot. */
  readonly times: number[] = [];
  readonly #values = new Map<string, (number | null)[]>();

  /** @param isLive - The robot is connected: what it said before it left is no value of now. */
  add(atMs: number, fields: readonly FieldView[], isLive: boolean): void {
    const before = this.times.length;
    // The clock of a robot may be set back.
    this.times.push(Math.max(atMs / 1_000, (this.times.at(-1) ?? 0) + 0.001));
    const now = new Map(fields.map((field) => [fieldKey(field), isLive ? field.value : null]));
    for (const key of new Set([...now.keys(), ...this.#values.keys()])) {
      const values = this.#values.get(key) ?? Array.from({ length: before }, () => null);
      values.push(now.get(key) ?? null);
      this.#values.set(key, values);
    }
    if (this.times.length <= POINTS_MAX) return;
    this.times.shift();
    for (const values of this.#values.values()) values.shift();
  }

  of(key: string): FieldCurve {
    const values = this.#values.get(key) ?? [];
    return { times: this.times, values, low: values, high: values };
  }
}
