// npm run bench:ros -- --help
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { middlewares } from '../../test/support/on-every-middleware.js';
import { findRos } from '../../test/support/ros.js';
import { endWith, isAnswer } from '../command-line.js';
import { whyNoProfile } from './cpu-split.js';
import { appendBytesPerS } from './disk-speed.js';
import { stopPrograms } from './program.js';
import { buildPrograms } from './publisher.js';
import { judge, render } from './report.js';
import { readRosBenchOptions } from './ros-bench-options.js';
import type { RosBenchContext } from './run-case.js';
import { noResults, runRound, type MiddlewareResults } from './run-round.js';

const FIRST_DOMAIN = 80;
const DOMAINS = 10;
/** Of load, at scale 1. */
const SECONDS = 10;

const options = await readRosBenchOptions(process.argv.slice(2));
if (isAnswer(options)) endWith(options);
const { rounds, scale, warmUpSeconds, recorders, loads: chosen, withKill, steady } = options;
const ros = findRos();
if (typeof ros === 'string') {
  console.log(`not run: ${ros}`);
  process.exit(0);
}

// An exit hook ends the children; a signal alone would leave them behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const folder = await mkdtemp(join(options.folder, 'holdfast-bench-ros-'));
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
    isSteady: steady,
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
  steady,
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
