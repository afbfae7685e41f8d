import { documentKind } from '../../../core/documents/document.js';
import { samplePlaceSchema } from '../../../core/documents/folder-schemas.js';
import { join } from 'node:path';
import { defined } from '../../../core/defined.js';
import { makeDirectoryDurably, readStateIfReadable, writeFileDurably } from '../../../core/durable-files.js';
import { userCacheFolder } from '../../../host/cache-folder.js';
import type { Located } from '../../../recordings/locate.js';
import type { Sample } from '../../../recordings/sample-store.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, printable } from '../../../host/human.js';
import { Progress } from '../progress.js';
import { addIdentityFlag } from '../identity-option.js';
import { FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

/** Where the last sample of a store ended. */
const samplePlaces = documentKind<{ readonly after?: string }>('place of a sample', samplePlaceSchema);

export const verifyCommand: CommandDefinition = {
  name: 'verify',
  summary: 'check every CRC, SHA-256, sequence and manifest',
  description:
    'Reads a whole data folder, store or recording and checks it: every chunk and file checksum, the ' +
    'SHA-256, the index, and the counts, times and sequences of each manifest. It reports each fault ' +
    'with its place. It changes nothing, and it can run while the recorder and sync run. It exits ' +
    'with 3 if data is missing or wrong.',
  examples: [
    ['holdfast verify rec', 'the sealed segments of a data folder'],
    ['holdfast verify --store s3://recordings/fleet-a', 'every object of a store'],
    ['holdfast verify --store s3://recordings/fleet-a --sample 2%', 'a different 2 % each day'],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('[from]', FROM_HELP)
      .option(
        '--sample <size>',
        'store only: check this many segments (100) or this share (2%), starting after the last sample',
      );
    addIdentityFlag(command);
  },
  async run(invocation) {
    const { terminal, stop } = invocation;
    await using reading = await openReading(invocation, { storeAlone: true });
    using progress = new Progress(terminal, { label: 'verifying', nowMs: Date.now });
    const { verify } = await import('../../../recordings/verify.js');
    const sample = await openSample(invocation, reading.located);
    const report = await verify(reading.located, {
      files: reading.files,
      signal: stop.signal,
      keyring: reading.keyring,
      ...defined({ sample }),
      onProgress: ({ name, objects, objectsTotal, bytes }) => {
        if (objectsTotal !== undefined) progress.update(objects, objectsTotal);
        else terminal.live(`verifying ${printable(name)}: ${objects} objects, ${humanBytes(bytes)}`);
      },
    });
    terminal.live('');
    for (const { severity, where, what, expected, actual } of report.findings) {
      await invocation.say(
        `${severity.toUpperCase()} ${printable(where)}: ${printable(what)}: expected ` +
          `${printable(expected)}, found ${printable(actual)}`,
      );
    }
    const { totals } = report;
    const unlisted = totals.errors + totals.warnings - report.findings.length;
    if (unlisted > 0) await invocation.say(`and ${humanCount(unlisted)} more findings`);
    await invocation.say(
      `${report.ok ? 'OK' : 'NOT OK'}: ${humanCount(totals.objects)} objects, ` +
        `${humanCount(totals.messages)} messages, ${humanBytes(totals.bytes)} read; ` +
        `${humanCount(totals.errors)} errors, ${humanCount(totals.warnings)} warnings, ` +
        `${humanCount(totals.gaps)} gaps, ${humanCount(totals.tombstones)} tombstones` +
        (totals.unopened === 0
          ? ''
          : `; ${humanCount(totals.unopened)} encrypted objects by their sums only`),
    );
    return { exitCode: report.ok ? exitCodes.ok : exitCodes.findings, json: { ...report } };
  },
};

/**
 * The selection of `--sample`; the end of the last sample is stored under the store's id. Throws
 * `CONFIG_INVALID`.
 */
async function openSample(
  { options, ports, stop }: Invocation,
  located: Located,
): Promise<Sample | undefined> {
  const text = options['sample'] as string | undefined;
  if (text === undefined) return undefined;
  const { parseSampleSize, SAMPLE_FORM } = await import('../../../recordings/sample-store.js');
  const size = parseSampleSize(text);
  const allowed = size ? 'only for a store (--store, or a store as argument)' : `allowed: ${SAMPLE_FORM}`;
  if (!size || located.kind !== 'store') {
    throw configInvalid([{ where: '--sample', path: 'sample', value: text, allowed }]);
  }
  const id = (await located.store.readId({ signal: stop.signal })) ?? 'unknown';
  const folder = join(userCacheFolder(), 'samples');
  const path = join(folder, `${id}.json`);
  await makeDirectoryDurably(ports.fs, folder);
  const before = await readStateIfReadable(ports.fs, path);
  return {
    size,
    after: samplePlaces.parseIfValid(before?.toString('utf8'))?.after,
    // If the position cannot be stored, the sample is still taken, and the next one repeats it.
    onPassed: (after) =>
      writeFileDurably(ports.fs, path, `${JSON.stringify({ after })}\n`).catch(() => undefined),
  };
}
