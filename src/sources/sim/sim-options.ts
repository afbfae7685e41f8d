import { parseSourceUri, type SourceUri } from '../source-uri.js';
import {
  choiceOption,
  durationMsOption,
  integerOption,
  invalidOptions,
  numberOption,
  readUriOptions,
  speedOption,
  subsetOption,
  utcTimeOption,
  type UriOption,
} from '../uri-options.js';
import { CAMERA_MAX_KB, CAMERA_MIN_KB } from '../../simulation/camera.js';
import { Fleet } from '../../simulation/fleet.js';
import { Flood, FLOOD_MIN_BYTES } from '../../simulation/flood.js';
import type { Generator } from '../../simulation/generator.js';
import { topicKinds } from '../../simulation/robot-topics.js';

/** The options of a `sim:` URI. docs/simulator.md lists them. */
export interface SimPlan {
  /** Simulated time until it ends, milliseconds; undefined: for ever. */
  readonly durationMs: number | undefined;
  /** Simulated seconds per second; Infinity: as fast as the messages are taken. */
  readonly speed: number;
  /** @param startNs time of the first step unless the URI has one, nanoseconds since the Unix epoch. */
  readonly generator: (startNs: bigint) => Generator;
}

const common = {
  shape: choiceOption('fleet', 'fleet', 'flood'),
  robots: integerOption(3, 1, 2_000),
  seed: integerOption(1, 0, 0xffff_ffff),
  duration: durationMsOption(undefined),
  start: utcTimeOption,
};

/** Options of a simulated fleet, also of the fleet process. */
export const fleetOptionTable = {
  ...common,
  rate: speedOption(1),
  scale: numberOption(1, 0.01, 100),
  imu_hz: numberOption(200, 0.1, 10_000),
  camera_kb: integerOption(90, CAMERA_MIN_KB, CAMERA_MAX_KB),
  topics: subsetOption(topicKinds),
};

const MAX_RATE_PER_S = 10_000_000;

const ratePerSOption: UriOption<number> = {
  default: 1_000,
  allowed: `messages per second, from 0.1 to ${MAX_RATE_PER_S}, or max`,
  read: (text) => (text === 'max' ? Infinity : numberOption(1, 0.1, MAX_RATE_PER_S).read(text)),
};

const floodOptionTable = {
  ...common,
  robots: integerOption(1, 1, 2_000),
  channels: integerOption(1, 1, 100_000),
  size: integerOption(1_000, FLOOD_MIN_BYTES, 256 * 1024 * 1024),
  rate: ratePerSOption,
  entropy: numberOption(1, 0, 1),
};

/**
 * Reads `sim:?robots=3&seed=1&duration=10s&rate=max` and `sim:?shape=flood&size=1000&rate=60000&channels=8`.
 *
 * @throws HoldfastError CONFIG_INVALID with all faults.
 */
export function readSimUri(uri: SourceUri): SimPlan {
  if (uri.path !== '') {
    throw invalidOptions(uri, [
      `"${uri.path}": sim: takes options only, such as sim:?robots=3; a fleet process is sim://host:port`,
    ]);
  }
  return uri.query.get('shape') === 'flood' ? floodPlan(uri) : fleetPlan(uri);
}

function fleetPlan(uri: SourceUri): SimPlan {
  const options = readUriOptions(uri, fleetOptionTable);
  const { robots, seed, scale, imu_hz: imuHz, camera_kb: cameraKb, topics } = options;
  return {
    durationMs: options.duration,
    speed: options.rate,
    generator: (startNs) =>
      new Fleet({ robots, seed, scale, imuHz, cameraKb, topics, startNs: options.start ?? startNs }),
  };
}

function floodPlan(uri: SourceUri): SimPlan {
  const options = readUriOptions(uri, floodOptionTable);
  const { robots, seed, channels, size: sizeBytes, rate: ratePerS, entropy } = options;
  return {
    durationMs: options.duration,
    speed: ratePerS === Infinity ? Infinity : 1,
    generator: (startNs) =>
      new Flood({ robots, seed, channels, sizeBytes, ratePerS, entropy, startNs: options.start ?? startNs }),
  };
}

/** The same from text, for programs with options without the scheme: `robots=3&seed=1`. */
export function readSimOptions(query: string): SimPlan {
  return readSimUri(parseSourceUri(`sim:?${query}`));
}
