import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurably } from '../../../core/durable-files.js';
import type { ListedView } from '../../../jobs/query/run-query.js';
import type { QueryEngine } from '../../../jobs/query/query-engine.js';
import type { QuerySource } from '../../../jobs/query/query-source.js';
import { sqlName } from '../../../jobs/query/view-plan.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { defined } from '../../../core/defined.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanCount, printable } from '../../../host/human.js';
import { TIME_FORM } from '../../../core/parse-time.js';
import { Progress } from '../progress.js';
import {
  DEFAULT_MEMORY,
  DEFAULT_TIMEOUT,
  DEFAULT_TABLE_ROWS,
  parseQueryOptions,
  type QueryOptions,
} from '../query-options.js';
import { addCacheFlag, FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

export const queryCommand: CommandDefinition = {
  name: 'query',
  summary: 'query recordings or exports with SQL',
  description:
    'Runs SQL (DuckDB) over an export made with --format parquet, over a folder of Parquet files, or ' +
    'directly over a data folder, a store or a recording. In the last case the command first exports ' +
    'the topics that the SQL names to a temporary folder. Each topic has several views: its name in ' +
    'double quotes, an identifier (robot1_imu), and a name without the robot for all robots (imu). ' +
    'The SQL can read only these views: no other files, no network. docs/query.md has more.',
  examples: [
    ['holdfast query --from tables "SELECT robot, count(*) FROM imu GROUP BY robot"', 'an export'],
    [
      'holdfast query --from rec \'SELECT max(linear_acceleration.z) FROM "/robot1/imu"\'',
      'a data folder, through a temporary export',
    ],
    ['holdfast query --from s3://recordings/fleet-a --from-time 2026-11-21 --list', 'list the views'],
    ['holdfast query --from tables --output-format csv - < question.sql > answer.csv', 'SQL from a file'],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('[sql]', 'the SQL; - reads it from standard input')
      .option('--file <path>', 'a file with the SQL')
      .option('--from <place>', `export folder, folder of Parquet files, ${FROM_HELP}`)
      .option('--list', 'show the views and their columns instead')
      .option('--robots <name...>', 'only these robots, by name or VIN; * stands for any text of a name')
      .option('--topics <name...>', 'only these topics; * stands for any text')
      .option('--from-time <time>', `only messages logged at or after this (${TIME_FORM})`)
      .option('--to-time <time>', 'only messages logged at or before this')
      .option('--output-format <format>', 'table, csv, json or jsonl (default: table)')
      .option('--limit <n>', `maximum rows; 0: all (default: ${DEFAULT_TABLE_ROWS} for table, otherwise all)`)
      .option('--memory-limit <size>', `memory limit of DuckDB (default: ${DEFAULT_MEMORY})`)
      .option('--timeout <time>', `time limit of the SQL; 0: none (default: ${DEFAULT_TIMEOUT})`)
      .option(
        '--guard-formulas',
        'CSV: put an apostrophe before text that a spreadsheet would run as a formula',
      )
      .option('--keep <folder>', 'export into this empty folder and keep it for later queries')
      .option(
        '--robot-name <name>',
        'robot name for recordings without one (default: the first part of the topic)',
      );
    addCacheFlag(command);
  },
  async run(invocation) {
    const { ports, stop, terminal } = invocation;
    const options = await parseQueryOptions(invocation);
    const { openScratchFolder } = await import('../../../host/scratch-folder.js');
    await using scratch = await openScratchFolder('query');
    const spillFolder = join(scratch.path, 'spill');
    await mkdir(spillFolder);
    const exportFolder = options.keep ?? join(scratch.path, 'export');
    await makeDirectoryDurably(ports.fs, exportFolder);
    const { openTables } = await import('../../../jobs/query/open-source.js');
    const signal = AbortSignal.any([stop.signal, terminal.closed]);
    const direct = await openTables(ports.fs, options.from, options.names, signal);
    const { openQueryEngine } = await import('../open-query-engine.js');
    const { memoryLimitBytes, timeoutMs } = options;
    await using engine = await openQueryEngine(ports.fs, {
      memoryLimitBytes,
      timeoutMs,
      spillFolder,
      signal,
    });
    try {
      if (direct !== undefined) return await answer(invocation, options, engine, direct, options.range);
      await using reading = await openReading({ ...invocation, args: options.fromArgs });
      using progress = new Progress(terminal, { label: 'exporting', nowMs: Date.now });
      const { recordingSource } = await import('../../../jobs/query/temporary-export.js');
      const chosen = await reading.robotsNamed(options.names.robots);
      const segments = await reading.segments({ ...chosen, ...options.range });
      let planned = '';
      const source = await recordingSource({
        from: reading.from,
        segments,
        listingProblems: [...reading.problems],
        filter: { ...options.exportFilter, ...defined({ robots: chosen.robots }) },
        folder: exportFolder,
        ports: { ...ports, fs: reading.copyFs },
        signal,
        onProblem: reading.onProblem,
        onProgress: (phase, done, total) => {
          if (phase === 'exporting') progress.update(done, total);
          else terminal.live((planned = `planning: ${done} of ${total} segments`));
        },
      });
      if (planned !== '') terminal.live('');
      return await answer(invocation, options, engine, source, {});
    } catch (error) {
      // `holdfast query | head` has what it needs.
      if (terminal.closed.aborted) return { exitCode: exitCodes.ok, json: { ok: true } };
      throw error;
    }
  },
};

async function answer(
  invocation: Invocation,
  options: QueryOptions,
  engine: QueryEngine,
  source: QuerySource,
  range: QueryOptions['range'],
): Promise<CommandResult> {
  const { answerQuery, listViews } = await import('../../../jobs/query/run-query.js');
  const { terminal } = invocation;
  if (options.sql === undefined) {
    const views = await listViews(engine, source);
    for (const line of listLines(views)) await invocation.say(line);
    return { exitCode: exitCodes.ok, json: { ok: true, views } };
  }
  const { rows, columns, ok, remarks } = await answerQuery(engine, source, options.sql, range, {
    options: { format: options.format, limit: options.limit, guardFormulas: options.guardFormulas },
    write: (text) => terminal.text(text),
  });
  for (const { where, reason } of remarks) {
    terminal.note(`holdfast: ${printable(where)}: ${printable(reason)}\n`);
  }
  if (!ok) terminal.note('holdfast: some data could not be read or decoded: see above\n');
  return {
    exitCode: ok ? exitCodes.ok : exitCodes.findings,
    json: { ok, rows, columns },
  };
}

function listLines(views: readonly ListedView[]): string[] {
  if (views.length === 0) return ['no views: nothing is recorded there, or nothing of what was chosen'];
  const lines: string[] = [];
  for (const { name, also, types, robots, rows, columns } of views) {
    const facts = [
      ...types,
      ...(robots.length > 0 ? [robots.join(' ')] : []),
      ...(rows === undefined ? [] : [`${humanCount(rows)} rows`]),
    ];
    lines.push(printable(`${sqlName(name)}  ${facts.join(', ')}`));
    if (also.length > 0) lines.push(printable(`  also ${also.map(sqlName).join(', ')}`));
    const width = Math.max(0, ...columns.map((column) => column.name.length));
    for (const column of columns) lines.push(printable(`    ${column.name.padEnd(width)}  ${column.type}`));
  }
  return lines;
}
