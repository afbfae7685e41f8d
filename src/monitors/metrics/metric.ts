/** One number of a metric with its labels. */
export interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** If it differs from the metric's: `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
}

/** One metric: its name, and how to read it from the present values. */
export interface Metric<Known> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** None if the number is unknown: the metric is then absent, not zero. */
  readonly samples: (known: Known) => readonly Sample[];
}

/** A single number without labels; absent if it is `undefined`. */
export function one(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ value }];
}
