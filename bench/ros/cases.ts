/** One load: what the publisher does, and what recording it may cost. */
export interface Case {
  readonly name: string;
  readonly sizeBytes: number;
  /** Of all topics together. */
  readonly perS: number;
  readonly topics: number;
  /** Published as sensor_msgs/msg/Image instead of std_msgs/msg/UInt8MultiArray. */
  readonly isImage?: boolean;
  /** Target for CPU per message, as a share of rosbag2's. */
  readonly ofRosbag2: number;
  /** The same, as a share of the floor's. Absent: no target. */
  readonly ofFloor?: number;
  /** Target for the most resident memory, in MB. Absent: no target. */
  readonly maxPeakMb?: number;
}

const SMALL = { ofRosbag2: 1.2 };
const LARGE = { ofRosbag2: 2, ofFloor: 1.6 };

export const cases: readonly Case[] = [
  { name: '100 B x 10k/s', sizeBytes: 100, perS: 10_000, topics: 1, ...SMALL },
  { name: '100 B x 20k/s', sizeBytes: 100, perS: 20_000, topics: 1, ...SMALL },
  { name: '100 B x 50k/s', sizeBytes: 100, perS: 50_000, topics: 1, ...SMALL },
  { name: '1 kB x 10k/s', sizeBytes: 1_000, perS: 10_000, topics: 1, ...SMALL },
  { name: '100 kB x 1k/s', sizeBytes: 100_000, perS: 1_000, topics: 1, ...LARGE },
  { name: '1 MB x 100/s', sizeBytes: 1_000_000, perS: 100, topics: 1, ...LARGE },
  { name: '1 MB x 300/s', sizeBytes: 1_000_000, perS: 300, topics: 1, ...LARGE, maxPeakMb: 200 },
  {
    name: '5 cameras of 2.3 MB x 30 Hz',
    sizeBytes: 2_300_000,
    perS: 150,
    topics: 5,
    isImage: true,
    ...LARGE,
  },
  { name: '300 topics x 10 Hz', sizeBytes: 100, perS: 3_000, topics: 300, ...SMALL },
];

/** The load in which the recorder is killed. */
export const killCase: Case = {
  ...{ name: 'kill -9 in 1 kB x 100/s', sizeBytes: 1_000, perS: 100, topics: 1 },
  ...SMALL,
};
export const KILL_AFTER_S = 5;

/** Nothing may be lost of a load where plain appends on the same disk reach this many times its bytes. */
export const DISK_HEADROOM = 2;
