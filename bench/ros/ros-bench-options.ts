import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { faultOfFolder } from '../bench-options.js';
import { isAnswer, mistake, parseCommandLine, type Answer } from '../command-line.js';
import { cases, killCase, type Case } from './cases.js';
import { recorderNames, type RecorderName } from './recorders.js';

/** What a run against `ros2 bag record` was asked for. */
export interface RosBenchOptions {
  readonly rounds: number;
  readonly scale: number;
  readonly loads: readonly Case[];
  /** Also the `kill -9`. */
  readonly withKill: boolean;
  readonly recorders: readonly RecorderName[];
  readonly warmUpSeconds: number;
  readonly steady: boolean;
  /** An existing folder for what the run writes; absolute. */
  readonly folder: string;
}

const loadNames = [...cases, killCase].map(({ name }) => name);

const usage = `npm run bench:ros -- [OPTIONS]: compares Holdfast with ros2 bag record (docs/benchmarks.md)

  --rounds N         how often each recorder runs under each load (default: 3)
  --scale X          1: 10 s of each load (default: 1)
  --only TEXT        loads with this text in their names; may be repeated (default: all)
  --recorder NAME    may be repeated (default: all): ${recorderNames.join(', ')}
  --warm-up S        seconds of the load before it is measured (default: 6)
  --steady           also measure one process of each recorder under one load after the other
  --folder DIR       existing folder on the disk to measure (default: ${tmpdir()})
  -h, --help         print this help

Loads:
${loadNames.map((name) => `  ${name}`).join('\n')}

It runs on each middleware that is installed; HOLDFAST_TEST_RMW names some of them, separated by commas.
The results are printed and saved as JSON in bench-results/.`;

/** Reads the command line. An answer says what is wrong with it, and what is allowed. */
export async function readRosBenchOptions(args: readonly string[]): Promise<RosBenchOptions | Answer> {
  const parsed = parseCommandLine(args, {
    usage,
    options: {
      rounds: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      only: { type: 'string', multiple: true, default: [] as string[] },
      recorder: { type: 'string', multiple: true, default: [] as string[] },
      'warm-up': { type: 'string', default: '6' },
      steady: { type: 'boolean', default: false },
      folder: { type: 'string', default: tmpdir() },
    },
  });
  if (isAnswer(parsed)) return parsed;
  const { values } = parsed;
  const [rounds, scale, warmUpSeconds] = [
    Number(values.rounds),
    Number(values.scale),
    Number(values['warm-up']),
  ];
  if (!Number.isInteger(rounds) || rounds < 1) {
    return mistake(`--rounds is "${values.rounds}", allowed: a whole number from 1`);
  }
  if (!(scale > 0 && scale < Infinity)) {
    return mistake(`--scale is "${values.scale}", allowed: a number above 0`);
  }
  if (!(warmUpSeconds >= 0 && warmUpSeconds < Infinity)) {
    return mistake(`--warm-up is "${values['warm-up']}", allowed: seconds from 0`);
  }
  const unknown = values.recorder.find((name) => !recorderNames.some((one) => one === name));
  if (unknown !== undefined) {
    return mistake(`--recorder is "${unknown}", allowed: ${recorderNames.join(', ')}`);
  }
  const isChosen = (name: string): boolean =>
    values.only.length === 0 || values.only.some((text) => name.includes(text));
  if (!loadNames.some(isChosen)) {
    const names = loadNames.map((name) => `"${name}"`).join(', ');
    return mistake(`--only is "${values.only.join('", "')}", allowed: parts of ${names}`);
  }
  const folder = resolve(values.folder);
  const fault = await faultOfFolder(folder);
  if (fault !== undefined) return mistake(fault);
  return {
    ...{ rounds, scale, warmUpSeconds, folder, steady: values.steady },
    loads: cases.filter(({ name }) => isChosen(name)),
    withKill: isChosen(killCase.name),
    recorders: recorderNames.filter((name) => values.recorder.length === 0 || values.recorder.includes(name)),
  };
}
