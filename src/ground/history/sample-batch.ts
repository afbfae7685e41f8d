import { isDue, type FieldSpec } from '../../uplink/protocol/field-spec.js';

/** Samples of one robot at consecutive ticks. */
export interface SampleBatch {
  readonly robot: string;
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
}

/** Where the samples of robots go. */
export interface HistorySink {
  /**
   * Takes samples. `onDurable` is called once they are on disk, or will never be stored; if it is not called, they
   * must be sent again.
   */
  store(batch: SampleBatch, onDurable: () => void): void;
}

/** One field at one tick. */
export interface Sample {
  /** Place of the field in the batch. */
  readonly field: number;
  readonly tick: number;
  readonly timeNs: bigint;
  /** Null: the robot had no value. */
  readonly value: number | null;
}

/** The samples of a batch: of the fields that are due. */
export function* samplesOf({
  fields,
  tickNs,
  firstTick,
  ticks,
  timeNs,
  values,
  full,
}: SampleBatch): Generator<Sample> {
  for (let row = 0; row < ticks; row++) {
    const tick = firstTick + row;
    const at = timeNs + BigInt(row) * BigInt(tickNs);
    for (let field = 0; field < fields.length; field++) {
      if (!full && !isDue(fields[field]!, tick)) continue;
      const value = values[row * fields.length + field]!;
      yield { field, tick, timeNs: at, value: Number.isFinite(value) ? value : null };
    }
  }
}

/** How many rows a batch may become. */
export function rowsOf({ fields, ticks }: SampleBatch): number {
  return fields.length * ticks;
}
