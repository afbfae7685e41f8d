// npm run bench -- --help
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { benchCatalogue } from './bench-catalogue.js';
import { benchDashboard } from './bench-dashboard.js';
import { benchEnqueue } from './bench-enqueue.js';
import { benchExport } from './bench-export.js';
import { benchGround } from './bench-ground.js';
import { benchHistory } from './bench-history.js';
import { benchLog } from './bench-log.js';
import { benchLogger } from './bench-logger.js';
import { benchNats } from './bench-nats.js';
import { benchPage } from './bench-page.js';
import { benchRecorder } from './bench-recorder.js';
import { benchSeal } from './bench-seal.js';
import { benchSmall } from './bench-small.js';
import { benchSync } from './bench-sync.js';
import { benchUplink } from './bench-uplink.js';
import { benchWal } from './bench-wal.js';
import type { Benchmark } from './bench-context.js';
import { readBenchOptions } from './bench-options.js';
import { endWith, isAnswer } from './command-line.js';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  enqueue: benchEnqueue,
  wal: benchWal,
  recorder: benchRecorder,
  seal: benchSeal,
  small: benchSmall,
  sync: benchSync,
  dashboard: benchDashboard,
  export: benchExport,
  logger: benchLogger,
  log: benchLog,
  catalogue: benchCatalogue,
  nats: benchNats,
  page: benchPage,
  uplink: benchUplink,
  ground: benchGround,
  history: benchHistory,
};

const options = await readBenchOptions(process.argv.slice(2), Object.keys(benchmarks));
if (isAnswer(options)) endWith(options);
const folder = await mkdtemp(join(options.folder, 'holdfast-bench-'));
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryMb: totalmem() / 1e6,
  kernel: release(),
};
const report: Record<string, unknown> = {
  machine,
  node: process.version,
  rounds: options.rounds,
  scale: options.scale,
};
const misses: string[] = [];
try {
  for (const name of options.names) {
    const context = { rounds: options.rounds, scale: options.scale, folder, say: console.log };
    const result = await (benchmarks[name] as Benchmark)(context);
    report[name] = result.results;
    misses.push(...result.misses);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
report['misses'] = misses;
await mkdir('bench-results', { recursive: true });
const path = join('bench-results', `${new Date().toISOString().replaceAll(':', '-')}.json`);
await writeFile(path, `${JSON.stringify(report, null, 1)}\n`);
console.log(
  misses.length === 0
    ? '\nevery target reached'
    : `\nnot reached:\n${misses.map((miss) => `  ${miss}`).join('\n')}`,
);
console.log(`saved as ${path}`);
