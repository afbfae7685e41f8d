/** What every benchmark is given. */
export interface BenchContext {
  /** Rounds per variant; medians are reported. */
  readonly rounds: number;
  /** A scratch folder on the disk to be measured. */
  readonly folder: string;
  /** Scales the amount of work; 1 is the documented run. */
  readonly scale: number;
  readonly say: (line: string) => void;
}

export interface BenchReport {
  readonly results: unknown;
  /** Targets that were not reached, in words. */
  readonly misses: readonly string[];
}

export type Benchmark = (context: BenchContext) => Promise<BenchReport>;
