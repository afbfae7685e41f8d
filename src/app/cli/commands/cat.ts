import { printableJson } from '../../../core/unseen-text.js';
import { defined } from '../../../core/defined.js';
import { leftOverReason } from '../../../core/ros/cdr-kind.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { addMessageFilter, messageFilter, openReading, readingParameters } from '../reading-arguments.js';

export const catCommand: CommandDefinition = {
  name: 'cat',
  summary: 'print messages as JSON lines, with CDR decoded',
  description:
    'Prints the messages of a data folder, a store, an MCAP file or a rosbag2 folder, merged by log ' +
    'time, one JSON object per line. If a message has no schema or cannot be decoded, the command ' +
    'prints it as base64 with the reason. If data cannot be read, the command reports it on standard ' +
    'error and continues (exit code 3).',
  examples: [
    ["holdfast cat rec --topic '/robot_1/imu' --limit 5", 'five messages of a topic'],
    ['holdfast cat s3://recordings/fleet-a --type sensor_msgs/msg/NavSatFix > gps.jsonl', 'from a store'],
    ['holdfast cat rec --after 2026-11-21T08:00:00Z --before 2026-11-21T08:05:00Z', 'five minutes'],
  ],
  parameters: readingParameters,
  configure(command) {
    addMessageFilter(command);
    command.option('--limit <n>', 'stop after so many messages');
  },
  async run(invocation) {
    const { terminal, stop } = invocation;
    const given = messageFilter(invocation);
    const limit = limitOf(invocation.options['limit']);
    await using reading = await openReading(invocation);
    const filter = { ...given, ...(await reading.robotsNamed(given.robots)) };
    const { catMessages } = await import('../../../recordings/cat.js');
    const signal = AbortSignal.any([stop.signal, terminal.closed]);
    try {
      const { problems, ...report } = await catMessages(await reading.segments(filter), {
        filter,
        ...defined({ limit }),
        write: (line) => terminal.out(printableJson(line)),
        onProblem: reading.onProblem,
        signal,
      });
      for (const { topic, messages, reason } of report.undecoded) {
        terminal.note(`holdfast: ${topic}: ${messages} messages not decoded: ${reason}\n`);
      }
      for (const { topic, messages, bytes } of report.leftOver) {
        terminal.note(`holdfast: ${topic}: ${messages} messages do not fit: ${leftOverReason(bytes)}\n`);
      }
      // Including faults of the segments themselves.
      const ok = problems.length + reading.problems.length === 0;
      return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, ...report, problems } };
    } catch (error) {
      // `holdfast cat | head` has what it needs.
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
