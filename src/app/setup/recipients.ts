import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { keyLines, parseRecipient } from '../../encryption/keyring.js';
import type { Recipient } from '../../encryption/wrapped-key.js';
import type { ConfigFault } from '../../settings/fault.js';
import type { Resolved } from '../../settings/resolve.js';
import type { SinkOptions } from '../../settings/sink-spec.js';

const PATH = 'sync.recipients';

/** The recipients of `sync.recipients`. Adds what is wrong to `faults`. */
export function readRecipients(
  { values, origin }: Resolved,
  fs: FileSystem,
  faults: ConfigFault[],
): Promise<Recipient[]> {
  // The value is not repeated: it may be a secret in the wrong place.
  return readRecipientTexts(values[PATH], PATH, fs, (allowed) =>
    faults.push({ where: origin[PATH], path: PATH, value: undefined, allowed }),
  );
}

/** Recipients of texts, each a recipient or `file:PATH` of a file with some. `onFault` gets what is wrong. */
export async function readRecipientTexts(
  texts: readonly string[],
  where: string,
  fs: FileSystem,
  onFault: (allowed: string) => void,
): Promise<Recipient[]> {
  const recipients: Recipient[] = [];
  for (const value of texts) {
    try {
      const isFile = value.startsWith('file:');
      const path = value.slice('file:'.length);
      const lines = isFile ? keyLines(await fs.readFile(path, 'utf8')) : [value];
      if (lines.length === 0) onFault(`${path} holds no recipient`);
      recipients.push(...lines.map((line) => parseRecipient(line, isFile ? path : where)));
    } catch (error) {
      onFault(describeError(error));
    }
  }
  return recipients;
}

/** Files made of segments are not encrypted, so a sink that makes them must say that they may leave readable. */
export function refuseReadable(
  sinks: readonly SinkOptions[],
  recipients: readonly Recipient[],
  { origin }: Resolved,
  faults: ConfigFault[],
): void {
  if (recipients.length === 0) return;
  for (const { name, kind, selection, encrypt } of sinks) {
    if (!encrypt || (kind === 'mcap' && !selection.topics)) continue;
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
