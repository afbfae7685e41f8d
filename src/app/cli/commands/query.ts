import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurably } from '../../../core/durable-files.js';
import type { ListedView } from '../../query/run-query.js';
import type { QuerySession } from '../../query/query-session.js';
import type { QuerySource } from '../../query/query-source.js';
import { sqlName } from '../../query/view-plan.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanCount, printable } from '../human.js';
import { TIME_FORM } from '../parse-time.js';
import { Progress } from '../progress.js';
import {
  DEFAULT_MEMORY,
  DEFAULT_TABLE_ROWS,
  parseQueryOptions,
  type QueryOptions,
} from '../query-options.js';
import { addCacheFlag, FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

export const queryCommand: CommandDefinition = {
  name: 'query',
  summary: 'ask recordings or exports with SQL',
  description:
    'Runs SQL (DuckDB) over an export made with --format parquet, a folder of Parquet files, or straight over ' +
    'a data folder, a store or a recording: then the topics the SQL names are exported to a temporary folder ' +
    'first. A topic is a view under its name in double quotes, as an identifier (robot1_imu), and without its robot for all ' +
    'robots (imu). The SQL can read these views and nothing else: no other files, no network. docs/query.md has more.',
  examples: [
    ['holdfast query --from tables "SELECT robot, count(*) FROM imu GROUP BY robot"', 'an export'],
    [
      'holdfast query --from rec \'SELECT max(linear_acceleration.z) FROM "/robot1/imu"\'',
      'a data folder, through a temporary export',
    ],
    ['holdfast query --from s3://recordings/fleet-a --from-time 2026-11-21 --list', 'what there is to ask'],
    ['holdfast query --from tables --output-format csv - < question.sql > answer.csv', 'SQL from a file'],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('[sql]', 'the SQL; - reads it from standard input')
      .option('--file <path>', 'a file with the SQL')
      .option('--from <place>', `export folder, folder of Parquet files, ${FROM_HELP}`)
      .option('--list', 'show the views and their columns instead')
      .option('--robots <name...>', 'only these robots; * stands for any text')
      .option('--topics <name...>', 'only these topics; * stands for any text')
      .option('--from-time <time>', `only messages logged at or after this (${TIME_FORM})`)
      .option('--to-time <time>', 'only messages logged at or before this')
      .option('--output-format <format>', 'table, csv, json or jsonl (default: table)')
      .option('--limit <n>', `rows at most; 0: all (default: ${DEFAULT_TABLE_ROWS} for table, else all)`)
      .option('--memory-limit <size>', `memory DuckDB may use (default: ${DEFAULT_MEMORY})`)
      .option('--keep <folder>', 'export into this empty folder and keep it, to be asked again')
      .option(
        '--robot-name <name>',
        "robot of recordings that do not say theirs (default: the topic's first part)",
      );
    addCacheFlag(command);
  },
  async run(invocation) {
    const { ports, stop, terminal } = invocation;
    const options = await parseQueryOptions(invocation);
    const { loadDuckDb } = await import('../../query/duckdb-library.js');
    const duckDb = await loadDuckDb();
    const { openScratchFolder } = await import('../../system/scratch-folder.js');
    await using scratch = await openScratchFolder('query');
    const spillFolder = join(scratch.path, 'spill');
    await mkdir(spillFolder);
    const exportFolder = options.keep ?? join(scratch.path, 'export');
    await makeDirectoryDurably(ports.fs, exportFolder);
    const { openTables } = await import('../../query/open-source.js');
    const signal = AbortSignal.any([stop.signal, terminal.closed]);
    const direct = await openTables(ports.fs, options.from, options.names, signal);
    const { QuerySession } = await import('../../query/query-session.js');
    await using session = await QuerySession.open(duckDb, {
      memoryLimitBytes: options.memoryLimitBytes,
      spillFolder,
      signal,
    });
    try {
      if (direct !== undefined) return await answer(invocation, options, session, direct, options.range);
      await using reading = await openReading({ ...invocation, args: options.fromArgs });
      using progress = new Progress(terminal, { label: 'exporting', nowMs: Date.now });
      const { recordingSource } = await import('../../query/temporary-export.js');
      const segments = await reading.segments({ ...options.names, ...options.range });
      let planned = '';
      const source = await recordingSource({
        from: reading.from,
        segments,
        listingProblems: [...reading.problems],
        filter: options.exportFilter,
        folder: exportFolder,
        ports,
        signal,
        onProblem: reading.onProblem,
        onProgress: (phase, done, total) => {
          if (phase === 'exporting') progress.update(done, total);
          else terminal.live((planned = `planning: ${done} of ${total} segments`));
        },
      });
      if (planned !== '') terminal.live('');
      return await answer(invocation, options, session, source, {});
    } catch (error) {
      // `holdfast query | head` has what it wanted.
      if (terminal.closed.aborted) return { exitCode: exitCodes.ok, json: { ok: true } };
      throw error;
    }
  },
};

async function answer(
  invocation: Invocation,
  options: QueryOptions,
  session: QuerySession,
  source: QuerySource,
  range: QueryOptions['range'],
): Promise<CommandResult> {
  const { listViews, startQuery, writeResult } = await import('../../query/run-query.js');
  const { terminal } = invocation;
  if (options.sql === undefined) {
    const views = await listViews(session, source);
    for (const line of listLines(views)) await invocation.say(line);
    return { exitCode: exitCodes.ok, json: { ok: true, views } };
  }
  const { openWriter } = await import('../../query/result-writer.js');
  const { result, columns, ok } = await startQuery(session, source, options.sql, range);
  terminal.live('');
  const writer = openWriter(options.format, columns, (lines) => terminal.out(lines));
  const rows = await writeResult(session, result, writer, options.limit);
  if (!ok) {
    terminal.note('holdfast: not everything could be read or decoded; holdfast export says what per topic\n');
  }
  return {
    exitCode: ok ? exitCodes.ok : exitCodes.findings,
    json: { ok, rows, columns: columns.map(({ name }) => name) },
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
