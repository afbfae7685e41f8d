import type { HistoryJson, HistoryPoint, Status } from '../wire.js';
import { Store } from './store.js';

/** Like the server: ten minutes, one point per second. */
const POINTS_MAX = 600;
/** A longer silence is drawn as a gap. */
const SILENCE_MS = 3_500;

type Column = (number | null)[];

const names = [
  'messagesPerS',
  'bytesPerS',
  'commitP50Ms',
  'commitP99Ms',
  'lossWindowMs',
  'walBytes',
  'transferBytesPerS',
  'cpuPercent',
] as const;
export type CurveName = (typeof names)[number];

/** Curves of the last minutes. All columns have the length of `times`. */
class Curves {
  /** Seconds since the Unix epoch, in the form that charts take. */
  times: number[] = [];
  /** Grows with every point. */
  readonly version = new Store(0);
  #columns = empty();
  /** The server keeps no history per robot, so these curves start when the page was opened. */
  readonly #robots = new Map<string, { readonly messages: Column; readonly bytes: Column }>();

  of(name: CurveName): Column {
    return this.#columns[name];
  }

  /** Rates of one robot. */
  ofRobot(robot: string): { readonly messages: Column; readonly bytes: Column } {
    const known = this.#robots.get(robot);
    return known ?? { messages: nulls(this.times.length), bytes: nulls(this.times.length) };
  }

  /** Takes over the server's history. The page's own history of single robots stays where the times match. */
  replace(past: HistoryJson): void {
    const before = new Map(this.times.map((time, index) => [time, index]));
    const points = past.atMs.map((_, index) => index);
    this.times = [];
    this.#columns = empty();
    for (const index of points) {
      this.#pushTime(past.atMs[index] ?? 0, (name) => past[name][index] ?? null);
    }
    for (const [robot, columns] of this.#robots) {
      const pick = (column: Column): Column =>
        this.times.map((time) => column[before.get(time) ?? -1] ?? null);
      this.#robots.set(robot, { messages: pick(columns.messages), bytes: pick(columns.bytes) });
    }
    this.version.update((version) => version + 1);
  }

  add(point: HistoryPoint, status: Status): void {
    const at = point.atMs ?? status.atMs;
    if (at / 1_000 <= (this.times.at(-1) ?? 0)) return;
    this.#pushTime(at, (name) => point[name] ?? null);
    for (const { robot, messagesPerS, bytesPerS } of status.recorder.robots) {
      let columns = this.#robots.get(robot);
      if (columns === undefined) this.#robots.set(robot, (columns = { messages: [], bytes: [] }));
      fill(columns.messages, this.times.length - 1).push(messagesPerS);
      fill(columns.bytes, this.times.length - 1).push(bytesPerS);
    }
    this.version.update((version) => version + 1);
  }

  #pushTime(atMs: number, valueOf: (name: CurveName) => number | null): void {
    const last = this.times.at(-1);
    if (last !== undefined && atMs / 1_000 - last > SILENCE_MS / 1_000) {
      this.times.push(last + 0.001);
      for (const name of names) this.#columns[name].push(null);
    }
    this.times.push(atMs / 1_000);
    for (const name of names) this.#columns[name].push(valueOf(name));
    const robots = [...this.#robots.values()].flatMap(({ messages, bytes }) => [messages, bytes]);
    while (this.times.length > POINTS_MAX) {
      this.times.shift();
      for (const name of names) this.#columns[name].shift();
      for (const column of robots) column.shift();
    }
  }
}

function empty(): Record<CurveName, Column> {
  return Object.fromEntries(names.map((name) => [name, [] as Column])) as Record<CurveName, Column>;
}

function nulls(length: number): Column {
  return new Array<number | null>(length).fill(null);
}

function fill(column: Column, length: number): Column {
  while (column.length < length) column.push(null);
  return column;
}

export const curves = new Curves();
