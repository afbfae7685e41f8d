import { isDue, type FieldSpec } from '../../uplink/protocol/field-spec.js';

/** Samples of one robot at consecutive ticks. */
export interface SampleBatch {
  readonly robot: string;
  /** VIN of the vehicle that it was in; absent or empty: unknown. */
  readonly vin?: string;
  /** Run of the robot's process. Run, tick and field name a sample. */
  readonly run: bigint;
  readonly fields: readonly FieldSpec[];
  /** Time between two ticks, nanoseconds. */
  readonly tickNs: number;
  readonly firstTick: number;
  readonly ticks: number;
  /** Of the first tick, on the robot's clock. */
  readonly timeNs: bigint;
  /** `ticks` rows of a value for each field; NaN: no value. */
  readonly values: ArrayLike<number>;
  /** Every field has a sample, also one that is not due at the tick. */
  readonly full: boolean;
  /** It waited on the robot. Default: false, it is of the live stream. */
  readonly late?: boolean;
}

/** Where the samples of robots go. */
export interface HistorySink {
  /**
   * Takes samples. `onDurable` is called once they are on disk, or will never be stored; if it is not called, they
   * must be sent again.
   */
  store(batch: SampleBatch, onDurable: () => void): void;
}

/** The samples of one tick. */
export interface SampledTick {
  readonly tick: number;
  readonly timeNs: bigint;
  /** Place of its first value in the values of the batch. */
  readonly first: number;
  /** Places of the fields that are due. */
  readonly fields: readonly number[];
}

/** The ticks of a batch at which a field is due. */
export function* ticksOf({
  fields,
  tickNs,
  firstTick,
  ticks,
  timeNs,
  full,
}: SampleBatch): Generator<SampledTick> {
  const all = fields.map((_, field) => field);
  const isEach = full || fields.every(({ everyTicks }) => everyTicks === 1);
  for (let row = 0; row < ticks; row++) {
    const tick = firstTick + row;
    const due = isEach ? all : all.filter((field) => isDue(fields[field]!, tick));
    if (due.length === 0) continue;
    yield { tick, timeNs: timeNs + BigInt(row) * BigInt(tickNs), first: row * fields.length, fields: due };
  }
}

/** How many rows a batch may become. */
export function rowsOf({ fields, ticks }: SampleBatch): number {
  return fields.length * ticks;
}
