import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { runCli, type CliRun } from '../../support/cli.js';

export interface ReportJson {
  readonly ok: boolean;
  readonly messages: number;
  readonly topics: number;
  readonly bytes: number;
  readonly undecoded: number;
  readonly answers: readonly {
    readonly tone: string;
    readonly headline: string;
    readonly remarks: readonly string[];
  }[];
  readonly problems: readonly { readonly where: string; readonly reason: string }[];
}

export interface MadeReport {
  readonly run: CliRun;
  readonly json: ReportJson;
  readonly html: string;
  readonly path: string;
}

/** A folder that goes away with the test. */
export async function scratch(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-report-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Runs the command as a user does. */
export async function makeReport(
  folder: string,
  from: string,
  ...flags: readonly string[]
): Promise<MadeReport> {
  const named = flags.indexOf('--output');
  const path = named < 0 ? join(folder, 'report.html') : flags[named + 1]!;
  const output = named < 0 ? ['--output', path] : [];
  const run = await runCli(['report', '--from', from, '--json', ...output, ...flags]);
  const html = await readFile(path, 'utf8').catch(() => '');
  return { run, json: run.json as unknown as ReportJson, html, path };
}

/** Topics in the page's table with the messages it says they have. */
export function topicCounts(html: string): Map<string, number> {
  const counts = new Map<string, number>();
  const rows = html.matchAll(/<tr data-topic="([^"]*)">(?:(?!<\/tr>).)*data-label="messages">\s*([\d,]+)/gs);
  for (const [, topic, count] of rows) counts.set(present(topic), Number(present(count).replaceAll(',', '')));
  return counts;
}
