import { hostname } from 'node:os';
import { compileRecorderOptions } from '../../../settings/compile-recorder.js';
import { parameterNamesFor } from '../../../settings/parameter-table.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { recorderLine, reportLive } from '../live-report.js';

export const recoverCommand: CommandDefinition = {
  name: 'recover',
  summary: 'repair a data folder after a crash, without recording',
  description:
    'Does the recovery that the recorder does at every start, and then exits. It checks the WAL, cuts ' +
    'off a commit that a crash left torn, moves damaged segments into quarantine with a report, and ' +
    'seals all remaining segments. A second run changes nothing.',
  examples: [['holdfast recover --data rec', 'before taking the disk out of a robot that lost power']],
  parameters: parameterNamesFor('recorder').filter((name) => /^(data|segment|seal|latched|log)/.test(name)),
  role: 'recorder',
  async run(invocation) {
    const options = compileRecorderOptions(invocation.resolve('recorder'), { hostname: hostname() });
    const { Recorder } = await import('../../../recorder/recorder.js');
    const recorder = await Recorder.open({ ...options, sources: [] }, [], invocation.ports);
    using _report = reportLive(invocation, () => recorderLine(recorder.status()));
    const { sealedSegments, waitingSegments, gaps } = await recorder.done;
    await invocation.say(
      `${sealedSegments} segments sealed` +
        (waitingSegments > 0 ? `, ${waitingSegments} could not be sealed and wait` : ''),
    );
    const ok = waitingSegments === 0;
    return {
      exitCode: ok ? exitCodes.ok : exitCodes.findings,
      json: { ok, sealedSegments, waitingSegments, gaps },
    };
  },
};
