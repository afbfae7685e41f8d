import { resolve } from 'node:path';
import { describeError, HoldfastError } from '../../../core/errors.js';
import { formatTime } from '../../../core/clock.js';
import { writeFileDurably } from '../../../core/durable-files.js';
import type { CheckFinding } from '../../check/finding-ledger.js';
import type { CheckReport } from '../../check/run-check.js';
import { configInvalid } from '../../parameters/fault.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanCount, printable, renderTable, type Column } from '../human.js';
import { TIME_FORM } from '../parse-time.js';
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
  summary: 'judge the quality of a recording by rules, for people and CI',
  description:
    'Reads a data folder, a store or a recording and says what is wrong with what was recorded: missing topics, ' +
    'rates, silences, jumping stamps and clocks, late messages, stuck values, NaN, frozen images, gaps, unclean ' +
    'ends, messages that cannot be decoded. The rules are YAML; those that come with it fit most recordings, ' +
    '--print-rules prints them, docs/check.md explains them. Changes nothing. Exit code 3 when there are errors.',
  examples: [
    ['holdfast check rec', 'a data folder, by the rules that come with it'],
    ['holdfast check drive.mcap --rules rules.yaml --junit check.xml', 'in CI'],
    [
      "holdfast check s3://recordings/fleet-a --topics '*/imu' --from-time 2026-11-21T08:00:00Z",
      'one sensor, since eight',
    ],
    ['holdfast check --print-rules > rules.yaml', 'as a start for rules of your own'],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('[from]', FROM_HELP)
      .option('--rules <file>', 'rules to check by (default: those of --print-rules)')
      .option('--print-rules', 'print the rules that come with it, and end')
      .option('--fail-on <severity>', 'exit with 3 on findings of this severity: error or warn', 'error')
      .option('--junit <file>', 'write the result as JUnit XML, too')
      .option('--robots <name...>', 'only these robots; * stands for any text')
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
    const { defaultRulesText, loadRules } = await import('../../check/load-rules.js');
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
    const filter = messageFilter({
      ...invocation,
      options: { topic: topics, type: types, onlyRobot: robots, after: fromTime, before: toTime },
    });
    const rules = await loadRules(textOf(options['rules']));
    const robotName = textOf(options['robotName']);
    await using reading = await openReading(invocation);
    using progress = new Progress(terminal, { label: 'checking', nowMs: Date.now });
    const { runCheck } = await import('../../check/run-check.js');
    const report = await runCheck({
      segments: await reading.segments(),
      rules,
      filter,
      ...(robotName === undefined ? {} : { robotName }),
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
  const { toJunit } = await import('../../check/junit.js');
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
  const span = from === undefined ? '' : `, ${formatTime(BigInt(from))} to ${formatTime(BigInt(to!))}`;
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
      ...(topic === undefined ? {} : { topic }),
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
