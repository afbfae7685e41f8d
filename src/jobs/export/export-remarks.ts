import type { Problem } from '../../recordings/segments.js';
import type { ExportReport } from './run-export.js';

/** What an export left out, or kept in another form: by topic, or by file. */
export function remarksOf({ notes, manifest }: Pick<ExportReport, 'notes' | 'manifest'>): Problem[] {
  const remarks = [...notes];
  for (const {
    topic: where,
    undecoded,
    kept_raw: raw,
    left_over: leftOver,
    reason = '',
  } of manifest.topics) {
    if (undecoded > 0) remarks.push({ where, reason: `${undecoded} messages left out: ${reason}` });
    if (leftOver > 0) {
      remarks.push({
        where,
        reason: `${leftOver} messages do not match their definition: bytes are left over`,
      });
    }
    if (raw > 0) remarks.push({ where, reason: `${raw} messages kept raw: ${reason}` });
  }
  return remarks;
}
