// The library entrance `holdfast/reader`: recordings as typed, ordered messages. docs/reader.md has examples.
import { openRecordingFrom, type OpenOptions, type Recording } from './reader-entry-recording.js';
import { systemPorts } from '../host/ports.js';
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
export {
  HoldfastError,
  isHoldfastError,
  type ErrorFacts,
  type HoldfastErrorOptions,
} from '../core/errors.js';
export { formatTime } from '../core/clock.js';
export { parseTime } from '../core/parse-time.js';

/**
 * Opens a data folder, a store (a `dir:`, `s3:`, `azure:` or `sftp:` URI), an MCAP file or a folder of them for
 * reading. It changes nothing and does not disturb a running recorder. Dispose of the recording
 * (`await using`) when done.
 *
 * Rejects with a HoldfastError: `SOURCE_UNREADABLE` if `from` is not a recording or cannot be read,
 * `STORE_UNKNOWN` or `CONFIG_INVALID` for an invalid store URI or option, and the other `STORE_` codes if the
 * store fails.
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
export { errorCatalogue, type CatalogueEntry, type ErrorCode } from '../core/error-catalogue.js';
