import { resolve } from 'node:path';
import { defined } from '../../../core/defined.js';
import { describeError, HoldfastError } from '../../../core/errors.js';
import { formatTime } from '../../../core/clock.js';
import { writeFileDurably } from '../../../core/durable-files.js';
import type { CheckFinding } from '../../../jobs/check/finding-ledger.js';
import type { CheckReport } from '../../../jobs/check/run-check.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanCount, printable, renderTable, type Column } from '../../../host/human.js';
import { TIME_FORM } from '../../../core/parse-time.js';
import { present } from '../../../core/present.js';
import { Progress } from '../progress.js';
import {
  addCacheFlag,
  FROM_HELP,
  messageFilter,
  openReading,
  readingParameters,
} from '../reading-arguments.js';

export const checkCommand: CommandDefinition = {
  name: 'check',
  summary: 'check the quality of a recording against rules, for people and CI',
  description:
    'Reads a data folder, a store or a recording and reports problems in the recorded data: missing ' +
    'topics, wrong rates, silences, jumps of stamps and clocks, late messages, stuck values, NaN, ' +
    'frozen images, gaps, unclean ends and messages that cannot be decoded. The rules are YAML. The ' +
    'default rules fit most recordings; --print-rules prints them and docs/check.md explains them. ' +
    'The command changes no data. It exits with 3 if there are errors.',
  examples: [
    ['holdfast check rec', 'a data folder, with the default rules'],
    ['holdfast check drive.mcap --rules rules.yaml --junit check.xml', 'in CI'],
    [
      "holdfast check s3://recordings/fleet-a --topics '*/imu' --from-time 2026-11-21T08:00:00Z",
      'one sensor, since 08:00',
    ],
    ['holdfast check --print-rules > rules.yaml', 'as a template for your own rules'],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('[from]', FROM_HELP)
      .option('--rules <file>', 'rules to check (default: those of --print-rules)')
      .option('--print-rules', 'print the default rules and exit')
      .option('--fail-on <severity>', 'exit with 3 on findings of this severity: error or warn', 'error')
      .option('--junit <file>', 'also write the result as JUnit XML')
      .option('--robots <name...>', 'only these robots, by name or VIN; * stands for any text of a name')
      .option('--topics <name...>', 'only these topics; * stands for any text')
      .option('--types <name...>', 'only these types, such as sensor_msgs/msg/Imu')
      .option('--from-time <time>', `only messages logged at or after this (${TIME_FORM})`)
      .option('--to-time <time>', 'only messages logged at or before this')
      .option(
        '--robot-name <name>',
        "robot of recordings that do not say theirs (default: the topic's first part)",
      );
    addCacheFlag(command);
  },
  async run(invocation) {
    const { terminal, stop, options } = invocation;
    const { defaultRulesText, loadRules } = await import('../../../jobs/check/load-rules.js');
    if (options['printRules'] === true) {
      const text = await defaultRulesText();
      if (!invocation.json) await terminal.out(text.trimEnd());
      return { exitCode: exitCodes.ok, json: { ok: true, rules: text } };
    }
    const failOn = options['failOn'];
    if (failOn !== 'error' && failOn !== 'warn') {
      const allowed = 'allowed: error, warn';
      throw configInvalid([{ where: '--fail-on', path: 'fail-on', value: failOn, allowed }]);
    }
    const { robots, topics, types, fromTime, toTime } = options;
    const given = messageFilter({
      ...invocation,
      options: { topic: topics, type: types, onlyRobot: robots, after: fromTime, before: toTime },
    });
    const rules = await loadRules(textOf(options['rules']));
    const robotName = textOf(options['robotName']);
    await using reading = await openReading(invocation);
    using progress = new Progress(terminal, { label: 'checking', nowMs: Date.now });
    const chosen = await reading.robotsNamed(given.robots);
    const { runCheck } = await import('../../../jobs/check/run-check.js');
    const report = await runCheck({
      segments: await reading.segments(chosen.vehicles && chosen),
      rules,
      filter: { ...given, ...chosen },
      ...defined({ robotName }),
      onProgress: (opened, total) => progress.update(opened, total),
      signal: stop.signal,
    });
    terminal.live('');
    await writeJunit(invocation, report);
    const failed = report.errors + (failOn === 'warn' ? report.warnings : 0) > 0;
    await print(invocation, report, failed, rules.length);
    return result(report, failed, rules.length);
  },
};

async function writeJunit({ options, ports }: Invocation, report: CheckReport): Promise<void> {
  const path = textOf(options['junit']);
  if (path === undefined) return;
  const { toJunit } = await import('../../../jobs/check/junit.js');
  try {
    await writeFileDurably(ports.fs, resolve(path), toJunit(report));
  } catch (cause) {
    throw new HoldfastError('OUTPUT_UNUSABLE', `${path} cannot be written: ${describeError(cause)}`, {
      cause,
      facts: { output: path },
    });
  }
}

const columns: readonly Column[] = [
  { head: '' },
  { head: 'rule' },
  { head: 'robot' },
  { head: 'topic' },
  { head: 'from' },
  { head: 'what' },
];

async function print(
  invocation: Invocation,
  report: CheckReport,
  failed: boolean,
  rules: number,
): Promise<void> {
  const { findings, errors, warnings, undecoded, messages, topics, from, to } = report;
  if (findings.length > 0) {
    for (const line of renderTable(columns, findings.map(cells))) await invocation.say(line);
    const more = errors + warnings - findings.length;
    if (more > 0) await invocation.say(`and ${humanCount(more)} more; --topics and --from-time look closer`);
  }
  for (const { topic, reason } of undecoded) {
    await invocation.say(`not looked into: ${printable(topic)}: ${printable(reason)}`);
  }
  const span =
    from === undefined ? '' : `, ${formatTime(BigInt(from))} to ${formatTime(BigInt(present(to)))}`;
  await invocation.say(
    `${failed ? 'NOT OK' : 'OK'}: ${humanCount(errors)} errors, ${humanCount(warnings)} warnings by ${rules} rules in ` +
      `${humanCount(messages)} messages of ${humanCount(topics)} topics${span}`,
  );
}

function cells({ severity, rule, robot, topic, field, from, text }: CheckFinding): string[] {
  return [
    severity === 'error' ? 'ERROR' : 'WARN',
    rule,
    robot,
    topic ?? '',
    from === undefined ? '' : `${formatTime(BigInt(from)).slice(0, 23)}Z`,
    field === undefined ? text : `${field}: ${text}`,
  ];
}

function result(report: CheckReport, failed: boolean, rules: number): CommandResult {
  const { subjects, ...rest } = report;
  const counted = subjects
    .filter(({ count, findings }) => count > findings.length)
    .map(({ rule, robot, topic, count, findings }) => ({
      rule: rule.name,
      robot,
      ...defined({ topic }),
      unlisted: count - findings.length,
    }));
  return {
    exitCode: failed ? exitCodes.findings : exitCodes.ok,
    json: { ...rest, ok: !failed, rules, more: counted },
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
