/** One number of a metric with its labels. */
export interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where it is not the metric's: `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
}

/** One metric: what it is called, and how to read it off what is known at the moment. */
export interface Metric<Known> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** None where the number is not known: the metric is then absent, not zero. */
  readonly samples: (known: Known) => readonly Sample[];
}

/** A single number without labels; absent where it is `undefined`. */
export function one(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ value }];
}
