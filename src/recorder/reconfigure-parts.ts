import type { RecorderOptions } from '../settings/recorder-options.js';
import { retentionOptions } from './recorder-folder.js';
import { batchLimits, bufferLimits, flowMarks, walLimits } from './recorder-limits.js';
import type { RecorderParts } from './recorder-parts.js';

/** The parts that it uses. */
type Parts = Pick<
  RecorderParts,
  | 'batchLimits'
  | 'buffer'
  | 'filterChanged'
  | 'flow'
  | 'limitsChanged'
  | 'options'
  | 'ports'
  | 'retention'
  | 'sealer'
  | 'tags'
  | 'wal'
>;

/**
 * Applies other options in one turn of the event loop, so that no message sees a mixture of old and new
 * values. Only live parameters may differ.
 */
export function reconfigureParts(parts: Parts, options: RecorderOptions): void {
  const { buffer, flow, wal, sealer, retention, tags, ports } = parts;
  parts.options = options;
  buffer.reconfigure(bufferLimits(options));
  Object.assign(parts.batchLimits, batchLimits(options));
  const { highBytes, highMessages } = flowMarks(options);
  flow.limit(highBytes, highMessages);
  parts.limitsChanged.emit();
  wal.reconfigure(walLimits(options));
  sealer.reconfigure(options.seal);
  retention.reconfigure(retentionOptions(options));
  parts.filterChanged.emit();
  // The parameters hold in this process; only the file that carries them over a restart may fail.
  void tags.reconfigure(options.tags).catch((error: unknown) => {
    ports.logger.error('the tags of the configuration could not be taken over', { error });
  });
  void retention.tick(sealer.unfinished());
}
