// npm run bench:ros [-- --rounds N] [--scale X] [--only TEXT...] [--folder DIR]
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findRos } from '../../test/support/ros.js';
import { cases, killCase, type Case } from './cases.js';
import { stopPrograms } from './program.js';
import { buildPublisher } from './publisher.js';
import { recorderNames, SEGMENT_BYTES, type RecorderName } from './recorders.js';
import { judgeCase, judgeKill, renderCases, renderKill } from './report.js';
import { runCase, runKill, type CaseResult, type KillResult, type RosBenchContext } from './run-case.js';

const FIRST_DOMAIN = 80;
const DOMAINS = 10;
/** Of load, at scale 1. */
const SECONDS = 10;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [] },
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
let runs = 0;
const context: RosBenchContext = {
  publisher: '',
  folder,
  seconds: Math.max(1, SECONDS * scale),
  nextEnvironment: () => ros.environment(FIRST_DOMAIN + (runs++ % DOMAINS)),
};
const results = new Map<string, Record<RecorderName, CaseResult[]>>();
const none = (): Record<RecorderName, never[]> => ({ holdfast: [], 'holdfast-late': [], rosbag2: [] });
const kills: Record<RecorderName, KillResult[]> = none();
const misses: string[] = [];
try {
  console.log(`compiling the publisher against ROS 2 ${ros.distro}`);
  const publisher = await buildPublisher(join(folder, 'publisher'), ros.environment(FIRST_DOMAIN));
  const ready = { ...context, publisher };
  for (let round = 0; round < rounds; round++) {
    // In turn, and each first as often as the other: what one leaves in the page cache must not favour it.
    const order = round % 2 === 0 ? recorderNames : recorderNames.toReversed();
    for (const load of chosen) {
      const all = results.get(load.name) ?? none();
      results.set(load.name, all);
      const isSealed = load.sizeBytes * load.perS * context.seconds > SEGMENT_BYTES;
      for (const name of order) {
        if (name === 'holdfast-late' && !isSealed) continue;
        const result = await runCase(name, load, ready);
        all[name].push(result);
        console.log(
          `  ${load.name}, ${name}: published ${result.published}, lost ${result.lost}, ` +
            `${result.cpuUsPerMessage.toFixed(1)} us/msg, ${result.peakMb.toFixed(0)} MB`,
        );
      }
    }
    for (const name of order) {
      if (withKill && name !== 'holdfast-late') kills[name].push(await runKill(name, killCase, ready));
    }
  }
} finally {
  await stopPrograms();
  await rm(folder, { recursive: true, force: true });
}
for (const [name, all] of results) misses.push(...judgeCase(name, all));
if (results.size > 0) renderCases(results).forEach((line) => console.log(line));
if (withKill) {
  misses.push(...judgeKill(kills));
  renderKill(kills).forEach((line) => console.log(line));
}

const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryMb: totalmem() / 1e6,
  kernel: release(),
};
const about = { machine, loadAverage: loadavg(), node: process.version, ros: ros.distro, rounds, scale };
const ros2 = {
  seconds: context.seconds,
  cases: Object.fromEntries(results),
  kills: withKill ? kills : undefined,
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
