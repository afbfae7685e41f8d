import { configInvalid } from '../../parameters/fault.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { addMessageFilter, messageFilter, openReading, readingParameters } from '../reading-arguments.js';

export const catCommand: CommandDefinition = {
  name: 'cat',
  summary: 'print messages as JSON lines, CDR decoded',
  description:
    'Prints the messages of a data folder, a store, an MCAP file or a rosbag2 folder, merged by log time, ' +
    'one JSON object per line. What has no schema or cannot be decoded is printed as base64 with the ' +
    'reason; what cannot be read is said on standard error, and the rest goes on (exit code 3).',
  examples: [
    ["holdfast cat rec --topic '/robot_1/imu' --limit 5", 'five messages of a topic'],
    ['holdfast cat s3://recordings/fleet-a --type sensor_msgs/msg/NavSatFix > gps.jsonl', 'out of a store'],
    ['holdfast cat rec --after 2026-11-21T08:00:00Z --before 2026-11-21T08:05:00Z', 'five minutes'],
  ],
  parameters: readingParameters,
  configure(command) {
    addMessageFilter(command);
    command.option('--limit <n>', 'stop after so many messages');
  },
  async run(invocation) {
    const { terminal, stop } = invocation;
    const filter = messageFilter(invocation);
    const limit = limitOf(invocation.options['limit']);
    await using reading = await openReading(invocation);
    const { catMessages } = await import('../../reading/cat.js');
    const signal = AbortSignal.any([stop.signal, terminal.closed]);
    try {
      const { problems, ...report } = await catMessages(await reading.segments(filter), {
        filter,
        ...(limit === undefined ? {} : { limit }),
        write: (line) => terminal.out(line),
        onProblem: reading.onProblem,
        signal,
      });
      for (const { topic, messages, reason } of report.undecoded) {
        terminal.note(`holdfast: ${topic}: ${messages} messages not decoded: ${reason}\n`);
      }
      // Also what was wrong with the segments themselves.
      const ok = problems.length + reading.problems.length === 0;
      return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, ...report, problems } };
    } catch (error) {
      // `holdfast cat | head` has what it wanted.
      if (terminal.closed.aborted) return { exitCode: exitCodes.ok, json: { ok: true } };
      throw error;
    }
  },
};

function limitOf(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit >= 0) return limit;
  throw configInvalid([{ where: '--limit', path: 'limit', value: text, allowed: 'allowed: a whole number' }]);
}
