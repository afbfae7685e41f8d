import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { isAnswer, mistake, parseCommandLine, type Answer } from './command-line.js';

/** What a benchmark run was asked for. */
export interface BenchOptions {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly scale: number;
  /** An existing folder for what the run writes; absolute. */
  readonly folder: string;
}

function usageOf(known: readonly string[]): string {
  return `npm run bench -- [BENCHMARK...] [OPTIONS]: measures parts of Holdfast (docs/benchmarks.md)

  --rounds N      how often each variant runs; the results are medians (default: 5)
  --scale X       amount of data, as a factor (default: 1)
  --folder DIR    existing folder on the disk to measure (default: ${tmpdir()})
  -h, --help      print this help

Benchmarks (default: all):
  ${known.join(' ')}

The results are printed and saved as JSON in bench-results/.`;
}

/** Reads the command line. An answer says what is wrong with it, what is allowed and what to do. */
export async function readBenchOptions(
  args: readonly string[],
  known: readonly string[],
): Promise<BenchOptions | Answer> {
  const parsed = parseCommandLine(args, {
    usage: usageOf(known),
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
      folder: { type: 'string', default: tmpdir() },
    },
  });
  if (isAnswer(parsed)) return parsed;
  const { values, positionals } = parsed;
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    return mistake(`unknown benchmark ${unknown.join(', ')}, allowed: ${known.join(', ')}`);
  }
  const [rounds, scale] = [Number(values.rounds), Number(values.scale)];
  if (!Number.isInteger(rounds) || rounds < 1) {
    return mistake(`--rounds is "${values.rounds}", allowed: a whole number from 1`);
  }
  if (!(scale > 0 && scale < Infinity)) {
    return mistake(`--scale is "${values.scale}", allowed: a number above 0`);
  }
  const folder = resolve(values.folder);
  const fault = await faultOfFolder(folder);
  if (fault !== undefined) return mistake(fault);
  return { names: positionals.length > 0 ? positionals : known, rounds, scale, folder };
}

/** Why nothing can be measured in a folder; undefined: it can. */
export async function faultOfFolder(folder: string): Promise<string | undefined> {
  try {
    if (!(await stat(folder)).isDirectory())
      return `--folder ${folder} is no folder; name one on the disk to measure`;
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return `--folder ${folder} does not exist; create it with mkdir -p, or name another`;
    return `--folder ${folder} cannot be written (${code}); name another`;
  }
}
