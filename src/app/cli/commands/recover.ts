import { hostname } from 'node:os';
import { compileRecorderOptions } from '../../parameters/compile-recorder.js';
import { parameterNamesFor } from '../../parameters/parameter-table.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { recorderLine, reportLive } from '../live-report.js';

export const recoverCommand: CommandDefinition = {
  name: 'recover',
  summary: 'bring a data folder in order after a crash, without recording',
  description:
    'Does what every start of the recorder does first, and then ends: checks the WAL, cuts off a commit ' +
    'that a crash left torn, puts what cannot be read whole into quarantine with a report, and seals all ' +
    'that is there. Running it again changes nothing.',
  examples: [['holdfast recover --data rec', 'before taking the disk out of a robot that lost power']],
  parameters: parameterNamesFor('recorder').filter((name) => /^(data|segment|seal|latched|log)/.test(name)),
  role: 'recorder',
  async run(invocation) {
    const options = compileRecorderOptions(invocation.resolve('recorder'), { hostname: hostname() });
    const { Recorder } = await import('../../recorder.js');
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
