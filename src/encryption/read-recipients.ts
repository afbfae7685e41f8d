import { describeError, HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { keyLines, parseRecipient } from './keyring.js';
import type { Recipient } from './wrapped-key.js';

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

/** The same. Throws `KEY_INVALID` with the first thing that is wrong. */
export async function requireRecipients(
  texts: readonly string[],
  where: string,
  fs: FileSystem,
): Promise<Recipient[]> {
  const faults: string[] = [];
  const recipients = await readRecipientTexts(texts, where, fs, (fault) => faults.push(fault));
  const [first] = faults;
  if (first === undefined) return recipients;
  throw new HoldfastError('KEY_INVALID', `${where}: ${first}`, { facts: { where } });
}
