import { defined } from '../../../core/defined.js';
import type { ConfigFault } from '../../../settings/fault.js';
import { configInvalid } from '../../../settings/fault.js';
import { version } from '../../../host/version.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, printable } from '../../../host/human.js';
import { TIME_FORM } from '../../../core/parse-time.js';
import { Progress } from '../progress.js';
import { addCacheFlag, FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

export const reportCommand: CommandDefinition = {
  name: 'report',
  summary: 'write one HTML page about a recording: is it complete, what is missing, what went wrong',
  description:
    'Reads the messages of a data folder, a store or a recording once, in bounded memory, and writes ' +
    'one self-contained page. It shows every topic over time with its losses and silences, actual and ' +
    'expected rates, tracks, values, latency, battery, diagnostics, storage and the recorder. The ' +
    'same input gives the same page, except for its creation time. If data cannot be read or decoded, ' +
    'the page reports it and the command continues (exit code 3 if data could not be read or a chosen ' +
    'field does not exist). docs/report.md describes the page.',
  examples: [
    ['holdfast report --from rec --output drive.html', 'everything in a data folder'],
    [
      'holdfast report --from s3://recordings/fleet-a --output morning.html --robots robot_1 --from-time 2026-11-21T08:00:00Z --to-time 2026-11-21T09:00:00Z',
      'an hour of one robot, from a store',
    ],
    [
      "holdfast report --from drive.mcap --output drive.html --plot '*/odom.pose.pose.position.x' --title 'Test on the hill'",
      'an MCAP file, with a plot of your own',
    ],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .option('--from <place>', FROM_HELP)
      .requiredOption('--output <file>', 'the page to be made; an earlier one of that name is replaced')
      .option('--title <text>', 'heading of the page (default: the name of the input)')
      .option('--robots <name...>', 'only these robots, by name or VIN; * stands for any text of a name')
      .option('--topics <name...>', 'only these topics; * stands for any text')
      .option('--from-time <time>', `only messages logged at or after this (${TIME_FORM})`)
      .option('--to-time <time>', 'only messages logged at or before this')
      .option('--plot <topic.field...>', 'numeric fields to plot, in addition to those chosen by type')
      .option(
        '--robot-name <name>',
        'robot name for recordings without one (default: the first part of the topic)',
      );
    addCacheFlag(command);
  },
  async run(invocation) {
    const { terminal, stop, options, ports } = invocation;
    const { parseReportOptions } = await import('../../../jobs/report/report-options.js');
    const faults: ConfigFault[] = [];
    const parsed = parseReportOptions(options, faults);
    if (parsed === undefined) throw configInvalid(faults);
    const from = options['from'] === undefined ? [] : [options['from'] as string];
    const { ProblemList } = await import('../../../jobs/report/problem-list.js');
    const { reportAssets } = await import('../../../jobs/report/report-assets.js');
    const assets = await reportAssets(ports.fs);
    await using reading = await openReading({ ...invocation, args: from });
    const filter = { ...parsed.filter, ...(await reading.robotsNamed(parsed.filter.robots)) };
    using progress = new Progress(terminal, { label: 'reading', nowMs: Date.now });
    const problems = new ProblemList(reading.onProblem);
    const { collectReport } = await import('../../../jobs/report/run-report.js');
    const data = await collectReport({
      from: reading.from,
      located: reading.located,
      files: reading.files,
      ...defined({ store: reading.store }),
      openCatalogue: reading.openCatalogue,
      keyring: reading.keyring,
      options: { ...parsed, filter },
      problems,
      clock: ports.clock,
      version,
      signal: stop.signal,
      onProgress: (done, total) => progress.update(done, total),
    });
    terminal.live('');
    const { renderReport } = await import('../../../exporters/report/render-report.js');
    const { writePage } = await import('../../../jobs/report/write-page.js');
    const page = renderReport(data, assets);
    const bytes = Buffer.byteLength(page);
    await writePage(reading.copyFs, parsed.output, page);
    const { answers } = await import('../../../exporters/report/verdict.js');
    for (const { question, headline } of answers(data)) await invocation.say(`${question} ${headline}`);
    await invocation.say(
      `${humanCount(data.messages)} messages of ${humanCount(data.topics.length)} topics, in ` +
        `${printable(parsed.output)} (${humanBytes(bytes)})`,
    );
    const ok = problems.list.length === 0;
    return {
      exitCode: ok ? exitCodes.ok : exitCodes.findings,
      json: {
        ok,
        output: parsed.output,
        bytes,
        messages: data.messages,
        topics: data.topics.length,
        answers: answers(data).map(({ question, tone, headline, remarks }) => ({
          question,
          tone,
          headline,
          remarks: remarks.map(({ text }) => text),
        })),
        undecoded: data.topics.reduce((sum, { undecoded }) => sum + undecoded, 0),
        problems: problems.list,
      },
    };
  },
};
