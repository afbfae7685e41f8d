// The library entrance `holdfast/reader`: recordings as typed, ordered messages. docs/reader.md has examples.
import { openRecordingFrom, type OpenOptions, type Recording } from './reader-entry-recording.js';
import { systemPorts } from './system/ports.js';
import { silentLogger } from '../core/logger.js';

export type {
  OpenOptions,
  ReadFilter,
  ReadMessage,
  Recording,
  RecordingProblem,
  RecordingSegment,
  RecordingTopic,
} from './reader-entry-recording.js';
export { HoldfastError, isHoldfastError } from '../core/errors.js';
export { formatTime } from '../core/clock.js';
export { parseTime } from './cli/parse-time.js';

/**
 * Opens a data folder, a store (`dir:PATH`, `s3://bucket/prefix`), an MCAP file or a folder of them for
 * reading. Nothing is changed; a running recorder is not disturbed. Dispose it (`await using`) when done.
 *
 * Throws a HoldfastError: `SOURCE_UNREADABLE` where there is nothing to read, the `STORE_` codes.
 *
 * @example
 * await using recording = await openRecording('drive.mcap');
 * for await (const { topic, logTime, value } of recording.messages({ topics: ['/imu'] })) {
 *   console.log(topic, logTime, value);
 * }
 */
export function openRecording(from: string, options: OpenOptions = {}): Promise<Recording> {
  return openRecordingFrom(from, options, systemPorts(silentLogger));
}
