import { configInvalid } from '../../../settings/fault.js';
import { version } from '../../../host/version.js';
import { addBagForm, bagFormOf } from '../bag-form.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount } from '../../../host/human.js';
import { addMessageFilter, messageFilter, openReading, readingParameters } from '../reading-arguments.js';

export const replayCommand: CommandDefinition = {
  name: 'replay',
  summary: 'merge segments into one MCAP file or a rosbag2 folder',
  description:
    'Merges segments of a data folder or objects of a store by log time into one recording: an MCAP ' +
    'file for Foxglove, or a folder for ros2 bag play. Latched messages appear once. The output is ' +
    'complete or absent, and the command never overwrites a file. If data cannot be read, the command ' +
    'reports it and continues (exit code 3).',
  examples: [
    ['holdfast replay rec --output drive.mcap', 'a whole data folder as one file'],
    [
      'holdfast replay s3://recordings/fleet-a --only-robot robot_1 --format rosbag2 --output robot_1',
      'one robot from a store, for ros2 bag play',
    ],
  ],
  parameters: readingParameters,
  configure(command) {
    addMessageFilter(command);
    command
      .requiredOption('-o, --output <path>', 'file (mcap) or folder (rosbag2) to make; it must not exist')
      .option('--format <mcap|rosbag2>', 'default: mcap if the output ends in .mcap, otherwise rosbag2');
    addBagForm(command);
  },
  async run(invocation) {
    const { terminal, stop, options } = invocation;
    const output = String(options['output']);
    const format = options['format'] ?? (output.endsWith('.mcap') ? 'mcap' : 'rosbag2');
    if (format !== 'mcap' && format !== 'rosbag2') {
      const allowed = 'allowed: mcap, rosbag2';
      throw configInvalid([{ where: '--format', path: 'format', value: format, allowed }]);
    }
    const bagForm = bagFormOf(invocation);
    const given = messageFilter(invocation);
    await using reading = await openReading(invocation);
    const filter = { ...given, ...(await reading.robotsNamed(given.robots)) };
    // Not by the start time: the latched messages from before it are in earlier segments.
    const { from: _, ...chosen } = filter;
    const { replay } = await import('../../../recordings/replay.js');
    const { problems, ...report } = await replay(await reading.segments(chosen), {
      output,
      ...{ format, bagForm, filter },
      version,
      fs: reading.copyFs,
      onProblem: reading.onProblem,
      onProgress: ({ messages }) => terminal.live(`replaying: ${humanCount(messages)} messages`),
      signal: stop.signal,
    }).finally(() => terminal.live(''));
    // Including faults of the segments themselves.
    const ok = problems.length + reading.problems.length === 0;
    await invocation.say(
      `${humanCount(report.messages)} messages of ${report.topics} topics in ${report.output} ` +
        `(${humanBytes(report.bytes)})${ok ? '' : `; ${problems.length} problems`}`,
    );
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, ...report, problems } };
  },
};
