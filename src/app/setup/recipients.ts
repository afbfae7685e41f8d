import type { FileSystem } from '../../core/file-system.js';
import { readRecipientTexts } from '../../encryption/read-recipients.js';
import type { Recipient } from '../../encryption/wrapped-key.js';
import type { ConfigFault } from '../../settings/fault.js';
import type { Resolved } from '../../settings/resolve.js';
import type { SinkOptions } from '../../settings/sink-spec.js';

const PATH = 'sync.recipients';

/** The recipients of a parameter. Adds what is wrong to `faults`. */
export function readRecipients(
  { values, origin }: Resolved,
  fs: FileSystem,
  faults: ConfigFault[],
  path: typeof PATH | 'encryption.recipients' = PATH,
): Promise<Recipient[]> {
  // The value is not repeated: it may be a secret in the wrong place.
  return readRecipientTexts(values[path], path, fs, (allowed) =>
    faults.push({ where: origin[path], path, value: undefined, allowed }),
  );
}

/**
 * Files made of segments are not encrypted, so a sink that makes them must say that they may leave readable. They cannot
 * be made of segments that are encrypted when they are sealed.
 */
export function refuseReadable(
  sinks: readonly SinkOptions[],
  recipients: readonly Recipient[],
  { origin, values }: Resolved,
  faults: ConfigFault[],
): void {
  const atRest = values['encryption.recipients'].length > 0;
  for (const { name, kind, selection, encrypt } of sinks) {
    if (kind === 'mcap' && !selection.topics) continue;
    if (atRest) {
      const allowed =
        'no sink that makes files of segments, or no encryption.recipients: this machine cannot read what it has sealed';
      faults.push({ where: origin.sinks, path: 'sinks', value: name, allowed });
    }
    if (atRest || !encrypt || recipients.length === 0) continue;
    const allowed =
      `encrypt=no with ${PATH}: the sink makes files of segments, which cannot be encrypted; ` +
      'they are then readable for anyone who reaches the store';
    faults.push({ where: origin.sinks, path: 'sinks', value: name, allowed });
  }
}

/** Of a sink. */
export function encryptedFor(recipients: readonly Recipient[]): {
  readonly recipients?: readonly Recipient[];
} {
  return recipients.length === 0 ? {} : { recipients };
}
