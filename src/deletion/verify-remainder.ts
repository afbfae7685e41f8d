import { HoldfastError } from '../core/errors.js';
import type { Manifest } from '../core/manifest.js';
import { openMcap } from '../core/mcap/open-mcap.js';
import type { Readable } from '../core/mcap/readable.js';
import { readEncrypted } from '../recordings/check-encrypted.js';
import { checkManifest, checkMcap } from '../recordings/check-object.js';
import { FilePool } from '../recordings/file-readable.js';
import { Findings } from '../recordings/findings.js';
import { surveyObject } from '../recordings/survey-object.js';
import { namedMessages, type CutPorts } from './cut-segment.js';
import type { DeletionRequest } from './deletion-request.js';

/**
 * Reads the file of a remainder from the disk as `holdfast verify` does, and looks for what the request names. Throws
 * `SEGMENT_CORRUPT` if it is not exactly what its manifest says, or still has a message that had to go.
 */
export async function verifyRemainder(
  { fs, keyring }: CutPorts,
  path: string,
  manifest: Manifest,
  request: DeletionRequest,
): Promise<void> {
  await using files = new FilePool(fs);
  const findings = new Findings();
  const opened = await open(path, files.readable(path), manifest, { findings, keyring });
  if (opened) {
    const survey = await surveyObject(opened.readable, path, () => undefined, undefined);
    checkMcap(path, survey, findings, survey.scan.library.startsWith('holdfast'));
    checkManifest(path, survey, opened.manifest, findings);
    const reader = await openMcap(opened.readable, path);
    for await (const { channel } of namedMessages(reader, request)) {
      findings.add('error', path, 'messages that the request names', 'none', channel.topic);
      break;
    }
  }
  const [first] = findings.list.filter(({ severity }) => severity === 'error');
  if (first === undefined && opened) return;
  const { what = 'content', expected = 'readable', actual = 'not readable' } = first ?? {};
  throw new HoldfastError(
    'SEGMENT_CORRUPT',
    `what would be left of it is not right: ${what} is ${actual}, expected ${expected}`,
    { facts: { path, what } },
  );
}

async function open(
  path: string,
  readable: Readable,
  manifest: Manifest,
  { findings, keyring }: { readonly findings: Findings } & Pick<CutPorts, 'keyring'>,
): Promise<{ readonly readable: Readable; readonly manifest: Manifest } | undefined> {
  if (!manifest.encryption) return { readable, manifest };
  const ports = { findings, keyring, onBytes: () => undefined };
  const content = await readEncrypted(path, readable, manifest, ports);
  return content.state === 'open' ? content : undefined;
}
