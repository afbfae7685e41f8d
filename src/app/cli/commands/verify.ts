import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanBytes, humanCount, printable } from '../human.js';
import { Progress } from '../progress.js';
import { FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

export const verifyCommand: CommandDefinition = {
  name: 'verify',
  summary: 'check every CRC, SHA-256, sequence and manifest',
  description:
    'Reads all of a data folder, a store or a recording and compares it with what it should be: every ' +
    'chunk and file checksum, the SHA-256, the index, counts, times and sequences of each manifest. Says ' +
    'what is wrong where. Changes nothing; works beside a running recorder and sync. Exit code 3 when ' +
    'data is missing or wrong.',
  examples: [
    ['holdfast verify rec', 'the sealed segments of a data folder'],
    ['holdfast verify --store s3://recordings/fleet-a', 'everything in a store, read back'],
  ],
  parameters: readingParameters,
  configure(command) {
    command.argument('[from]', FROM_HELP);
  },
  async run(invocation) {
    const { terminal, stop } = invocation;
    await using reading = await openReading(invocation, { storeAlone: true });
    using progress = new Progress(terminal, { label: 'verifying', nowMs: Date.now });
    const { verify } = await import('../../reading/verify.js');
    const report = await verify(reading.located, {
      files: reading.files,
      signal: stop.signal,
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
        `${humanCount(totals.gaps)} gaps, ${humanCount(totals.tombstones)} tombstones`,
    );
    return { exitCode: report.ok ? exitCodes.ok : exitCodes.findings, json: { ...report } };
  },
};
