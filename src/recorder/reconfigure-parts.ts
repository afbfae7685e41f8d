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
  | 'retention'
  | 'sealer'
  | 'wal'
>;

/**
 * Applies other options in one turn of the event loop, so that no message sees a mixture of old and new
 * values. Only live parameters may differ.
 */
export function reconfigureParts(parts: Parts, options: RecorderOptions): void {
  const { buffer, flow, wal, sealer, retention } = parts;
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
  void retention.tick(sealer.unfinished());
}
