import { NS_PER_MS } from '../../core/clock.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Gap } from '../../core/gap.js';
import { Random, seedOf } from '../../core/random.js';
import { present } from '../../core/present.js';
import type { CsvOptions } from './csv-options.js';
import { DeadReckoning } from './dead-reckoning.js';
import type { DriveMoment } from './drive-topics.js';
import { logRows } from './log-rows.js';
import type { BadRow, Layout, Row } from './row-reader.js';
import { Timeline } from './timeline.js';
import { varied } from './variation.js';
import { ProfiledRows, vehicleProfiles } from './vehicle-profile.js';
import { makeVin } from './vin.js';

/** The next row of one vehicle, and the rows before it that could not be read. */
export interface ReplayStep {
  /** Since the start of the replay, nanoseconds. */
  readonly dueNs: bigint;
  /** Undefined at the end of the log. */
  readonly moment: DriveMoment | undefined;
  readonly bad: BadRows | undefined;
}

/** Consecutive rows that could not be read. */
export interface BadRows extends Required<Pick<Gap, 'count' | 'bytes' | 'detail'>> {
  /** Stamps of the rows around them. */
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
}

/** Number of gaps for bad rows at their places; later bad rows are reported together at the end. */
const MAX_TOLD = 1_000;

/**
 * One vehicle of a replay: it reads the log by itself, with its own offset, variation, position and number.
 * Each holds at most one chunk of the log.
 */
export class ReplayedVehicle {
  readonly name: string;
  readonly vin: string;
  readonly timeline: Timeline;
  readonly #offsetNs: bigint;
  readonly #startNs: bigint | undefined;
  readonly #index: number;
  readonly #options: CsvOptions;
  readonly #random: Random;
  readonly #profiled: ProfiledRows;
  readonly #pose = new DeadReckoning();
  readonly #rows: ReturnType<typeof logRows>;
  #bad: { first: BadRow; last: BadRow; rows: number; bytes: number } | undefined;
  #told = 0;
  #lastStamp: bigint | undefined;
  #lastDueNs = 0n;
  /** Time of the first row, as the log has it. */
  #firstNs: bigint | undefined;

  /** @param startNs stamp of the first row of the first vehicle; undefined: as in the log. */
  constructor(
    index: number,
    options: CsvOptions,
    parts: { fs: FileSystem; layout: Layout; signal: AbortSignal; startNs: bigint | undefined },
  ) {
    this.#index = index;
    this.#options = options;
    this.#startNs = parts.startNs;
    this.name = `${options.name}${index + 1}`;
    this.vin = makeVin(new Random(seedOf(options.seed, index, 0x71a)));
    this.#random = new Random(seedOf(options.seed, index, 0xd71e));
    const { profiles } = options;
    this.#profiled = new ProfiledRows(vehicleProfiles[profiles[index % profiles.length] ?? 'car']);
    this.#offsetNs = BigInt(Math.round(options.timeOffsetMs * index)) * NS_PER_MS;
    this.timeline = new Timeline(options.ratePerS);
    this.#rows = logRows(parts.fs, options.path, parts.layout, options.passes, parts.signal);
  }

  /** It is the unchanged log. */
  get isFirst(): boolean {
    return this.#index === 0;
  }

  /** Undefined once the end was reported. */
  async next(): Promise<ReplayStep | undefined> {
    for (;;) {
      const next = await this.#rows.next();
      if (next.done === true) {
        const bad = this.#takeBad(undefined, true);
        return bad === undefined ? undefined : { dueNs: this.#lastDueNs, moment: undefined, bad };
      }
      const { value } = next;
      if ('pass' in value) this.timeline.repeat();
      else if ('fault' in value) this.#noteBad(value);
      else {
        const step = this.#step(value);
        if (step !== undefined) return step;
      }
    }
  }

  async close(): Promise<void> {
    await this.#rows.return(undefined);
  }

  #step(read: Row): ReplayStep | undefined {
    const sinceNs = this.#profiled.stretched(this.timeline.place(read.timeNs));
    const dueNs = this.#offsetNs + this.#profiled.stretched(this.timeline.elapsedNs);
    const logNs = this.#stretchedTime(read.timeNs);
    const stamp = this.#startNs === undefined ? present(logNs) + this.#offsetNs : this.#startNs + dueNs;
    // A recording cannot hold times before 1970.
    if (stamp <= 0n) {
      this.#noteBad({ line: read.line, bytes: 0, fault: 'its time lies before 1970' });
      return undefined;
    }
    const { positionOffsetM, variation } = this.#options;
    const shift = { rightM: positionOffsetM * this.#index, noise: variation };
    // The first vehicle is the unchanged log, to the last digit.
    const own = this.#profiled.of(read);
    const row = this.#index === 0 ? own : varied(own, shift, this.#random);
    this.#pose.step(row, sinceNs);
    const { x, y, yaw } = this.#pose;
    const { name, vin } = this;
    const logSeconds = Number(logNs ?? dueNs - this.#offsetNs) / 1e9;
    const bad = this.#takeBad(stamp);
    this.#lastStamp = stamp;
    this.#lastDueNs = dueNs;
    return { dueNs, moment: { name, vin, stamp, logSeconds, row, pose: { x, y, yaw } }, bad };
  }

  /** A time of the log, as this vehicle takes it. */
  #stretchedTime(timeNs: bigint | undefined): bigint | undefined {
    if (timeNs === undefined) return undefined;
    this.#firstNs ??= timeNs;
    return this.#firstNs + this.#profiled.stretched(timeNs - this.#firstNs);
  }

  #noteBad(row: BadRow): void {
    if (this.#bad === undefined) this.#bad = { first: row, last: row, rows: 1, bytes: row.bytes };
    else {
      this.#bad.last = row;
      this.#bad.rows++;
      this.#bad.bytes += row.bytes;
    }
  }

  #takeBad(to: bigint | undefined, isEnd = false): BadRows | undefined {
    if (this.#bad === undefined || (this.#told >= MAX_TOLD && !isEnd)) return undefined;
    const { first, last, rows, bytes } = this.#bad;
    this.#bad = undefined;
    this.#told++;
    const detail =
      rows === 1
        ? `line ${first.line}: ${first.fault}`
        : `${rows} rows of lines ${first.line} to ${last.line}; line ${first.line}: ${first.fault}`;
    return { count: rows, bytes, detail, from: this.#lastStamp, to };
  }
}
