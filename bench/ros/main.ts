// npm run bench:ros [-- --rounds N] [--scale X] [--only TEXT...] [--recorder NAME...] [--warm-up S] [--steady] [--folder DIR]
// On every middleware that is installed; HOLDFAST_TEST_RMW names some of them, separated by commas.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { middlewares } from '../../test/support/on-every-middleware.js';
import { findRos } from '../../test/support/ros.js';
import { faultOfFolder } from '../bench-options.js';
import { cases, killCase, type Case } from './cases.js';
import { whyNoProfile } from './cpu-split.js';
import { appendBytesPerS } from './disk-speed.js';
import { stopPrograms } from './program.js';
import { buildPrograms } from './publisher.js';
import { recorderNames } from './recorders.js';
import { judge, render } from './report.js';
import type { RosBenchContext } from './run-case.js';
import { noResults, runRound, type MiddlewareResults } from './run-round.js';

const FIRST_DOMAIN = 80;
const DOMAINS = 10;
/** Of load, at scale 1. */
const SECONDS = 10;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [] },
    recorder: { type: 'string', multiple: true, default: [] },
    'warm-up': { type: 'string', default: '6' },
    steady: { type: 'boolean', default: false },
    folder: { type: 'string', default: tmpdir() },
  },
});
const ros = findRos();
if (typeof ros === 'string') {
  console.log(`not run: ${ros}`);
  process.exit(0);
}
const [rounds, scale] = [Number(values.rounds), Number(values.scale)];
if (!(Number.isInteger(rounds) && rounds > 0 && scale > 0)) {
  console.error('--rounds takes a whole number from 1, --scale a number above 0');
  process.exit(2);
}
const warmUpSeconds = Number(values['warm-up']);
const recorders = recorderNames.filter(
  (name) => values.recorder.length === 0 || values.recorder.includes(name),
);
if (!(warmUpSeconds >= 0) || values.recorder.some((name) => !recorders.some((one) => one === name))) {
  console.error(`--warm-up takes seconds from 0, --recorder one of ${recorderNames.join(', ')}`);
  process.exit(2);
}
const fault = await faultOfFolder(resolve(values.folder));
if (fault !== undefined) {
  console.error(fault);
  process.exit(2);
}
const wanted = ({ name }: Case): boolean =>
  values.only.length === 0 || values.only.some((text) => name.includes(text));
const chosen = cases.filter(wanted);
const withKill = wanted(killCase);
if (chosen.length === 0 && !withKill) {
  const names = [...cases, killCase].map(({ name }) => `"${name}"`).join(', ');
  console.error(`--only names no load, allowed: parts of ${names}`);
  process.exit(2);
}

// An exit hook ends the children; a signal alone would leave them behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const folder = await mkdtemp(join(resolve(values.folder), 'holdfast-bench-ros-'));
const results: MiddlewareResults[] = middlewares().map((middleware) => ({
  middleware,
  cases: new Map(),
  kills: noResults(),
  splits: new Map(),
}));
const noProfile = whyNoProfile();
if (noProfile !== undefined) console.log(`processor time is not split: ${noProfile}`);
let diskBytesPerS = 0;
try {
  console.log(`compiling the publisher and the floor against ROS 2 ${ros.distro}`);
  let runs = 0;
  const context: RosBenchContext = {
    programs: await buildPrograms(join(folder, 'programs'), ros.environment(FIRST_DOMAIN)),
    folder,
    seconds: Math.max(1, SECONDS * scale),
    warmUpSeconds,
    nextEnvironment: (middleware) => ros.on(middleware).environment(FIRST_DOMAIN + (runs++ % DOMAINS)),
  };
  diskBytesPerS = await appendBytesPerS(folder);
  console.log(`plain appends reach ${(diskBytesPerS / 1e6).toFixed(0)} MB/s here`);
  const plan = {
    recorders,
    loads: chosen,
    withKill,
    isSplit: noProfile === undefined,
    isSteady: values.steady,
  };
  for (let round = 0; round < rounds; round++) {
    for (const result of results) await runRound(round, result, plan, context);
  }
} finally {
  await stopPrograms();
  await rm(folder, { recursive: true, force: true });
}
const misses = results.flatMap((result) => judge(result, diskBytesPerS));
results.flatMap(render).forEach((line) => console.log(line));

const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryMb: totalmem() / 1e6,
  kernel: release(),
};
const about = {
  machine,
  loadAverage: loadavg(),
  node: process.version,
  ros: ros.distro,
  rounds,
  scale,
  warmUpSeconds,
  steady: values.steady,
};
const ros2 = {
  secondsPerLoad: Math.max(1, SECONDS * scale),
  diskBytesPerS,
  middlewares: results.map(({ middleware, cases: loads, kills, splits }) => ({
    middleware,
    cases: Object.fromEntries([...loads].map(([{ name }, all]) => [name, all])),
    kills: withKill ? kills : undefined,
    processorTime: Object.fromEntries([...splits].map(([{ name }, split]) => [name, split])),
  })),
};
await mkdir('bench-results', { recursive: true });
const path = join('bench-results', `ros-${new Date().toISOString().replaceAll(':', '-')}.json`);
await writeFile(path, `${JSON.stringify({ ...about, ros2, misses }, null, 1)}\n`);
console.log(
  misses.length === 0
    ? '\nevery target reached'
    : `\nnot reached:\n${misses.map((miss) => `  ${miss}`).join('\n')}`,
);
console.log(`saved as ${path}`);
// rclnodejs is in children only; nothing here keeps the process, but a stray timer must not either.
process.exit(0);
