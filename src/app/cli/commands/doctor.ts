import { packageManifest } from '../../../host/version.js';
import { exitCodes } from '../../../host/exit-code.js';
import { printable, renderTable, type Column } from '../../../host/human.js';
import type { Finding } from '../../../jobs/doctor/finding.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';

export const doctorCommand: CommandDefinition = {
  name: 'doctor',
  summary: 'look at a machine and say what will hurt recording on it',
  description:
    'Checks Node.js, the data folder, its file system, free space and the speed of the disk, memory, limits, ' +
    'socket buffers, the clock and the ROS 2 environment. Each finding comes with the command that mends ' +
    'it. The command changes nothing: it writes 40 MB beside the recordings, and removes them. It exits ' +
    'with 3 if something is bad, so provisioning can stop there.',
  examples: [
    ['holdfast doctor --data /var/lib/holdfast', 'before the first recording'],
    ['holdfast doctor --data rec --strict --json', 'in provisioning: warnings count too'],
  ],
  parameters: ['data', 'retention.min_free_bytes', 'retention.min_free_percent', 'log.level', 'log.format'],
  configure(command) {
    command
      .option('--no-disk-test', 'do not measure the speed of the disk')
      .option('--strict', 'exit with 3 on warnings too');
  },
  async run(invocation) {
    const { values, faults } = invocation.resolve('recorder');
    if (faults.length > 0) throw configInvalid(faults);
    const { examine } = await import('../../../jobs/doctor/examine.js');
    const { thisMachine } = await import('../../../jobs/doctor/machine.js');
    const { fs, clock } = invocation.ports;
    const { signal } = invocation.stop;
    const findings = await examine(thisMachine({ fs, clock, env: process.env }, signal), {
      data: values.data,
      limits: {
        minFreeBytes: values['retention.min_free_bytes'],
        minFreePercent: values['retention.min_free_percent'],
      },
      testDisk: invocation.options['diskTest'] !== false,
      testedNode: packageManifest.testedNode,
    });
    signal.throwIfAborted();
    const bad = findings.filter(({ state }) => state === 'bad').length;
    const warnings = findings.filter(({ state }) => state === 'warn').length;
    const isFine = bad === 0 && (warnings === 0 || invocation.options['strict'] !== true);
    await print(invocation, findings);
    await invocation.say(
      `${isFine ? 'OK' : 'NOT OK'}: ${bad} bad, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}, ` +
        `${findings.length} checks`,
    );
    return {
      exitCode: isFine ? exitCodes.ok : exitCodes.findings,
      json: { ok: isFine, bad, warnings, findings },
    };
  },
};

const columns: readonly Column[] = [{ head: '' }, { head: 'check' }, { head: 'found', maxChars: 200 }];
const marks = { ok: 'ok', warn: 'WARN', bad: 'BAD', unknown: '?' } as const;

async function print(invocation: Invocation, findings: readonly Finding[]): Promise<void> {
  const rows = findings.map(({ state, check, text }) => [marks[state], check, text]);
  for (const line of renderTable(columns, rows)) await invocation.say(line);
  const toMend = findings.filter(({ remedy }) => remedy !== undefined);
  if (toMend.length === 0) return;
  await invocation.say('\nto mend it:');
  for (const { check, remedy = '' } of toMend) await invocation.say(`  ${check}: ${printable(remedy)}`);
}
