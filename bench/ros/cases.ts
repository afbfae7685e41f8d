/** One load: what the publisher does. */
export interface Case {
  readonly name: string;
  readonly sizeBytes: number;
  /** Of all topics together. */
  readonly perS: number;
  readonly topics: number;
}

export const cases: readonly Case[] = [
  { name: '100 B x 10k/s', sizeBytes: 100, perS: 10_000, topics: 1 },
  { name: '100 B x 20k/s', sizeBytes: 100, perS: 20_000, topics: 1 },
  { name: '100 B x 50k/s', sizeBytes: 100, perS: 50_000, topics: 1 },
  { name: '1 kB x 10k/s', sizeBytes: 1_000, perS: 10_000, topics: 1 },
  { name: '100 kB x 1k/s', sizeBytes: 100_000, perS: 1_000, topics: 1 },
  { name: '1 MB x 100/s', sizeBytes: 1_000_000, perS: 100, topics: 1 },
  { name: '1 MB x 300/s', sizeBytes: 1_000_000, perS: 300, topics: 1 },
  { name: '300 topics x 10 Hz', sizeBytes: 100, perS: 3_000, topics: 300 },
];

/** The load in which the recorder is killed. */
export const killCase: Case = { name: 'kill -9 in 1 kB x 100/s', sizeBytes: 1_000, perS: 100, topics: 1 };
export const KILL_AFTER_S = 5;

/** The load that must lose nothing, whatever rosbag2 loses. */
export const NO_LOSS_AT = '100 B x 50k/s';
export const MAX_CPU_RATIO = 1.5;
