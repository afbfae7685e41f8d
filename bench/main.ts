// npm run bench [-- wal enqueue recorder sync dashboard export logger catalogue nats] [--rounds N] [--scale X] [--folder DIR]
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchCatalogue } from './bench-catalogue.js';
import { benchDashboard } from './bench-dashboard.js';
import { benchEnqueue } from './bench-enqueue.js';
import { benchExport } from './bench-export.js';
import { benchLogger } from './bench-logger.js';
import { benchNats } from './bench-nats.js';
import { benchRecorder } from './bench-recorder.js';
import { benchSync } from './bench-sync.js';
import { benchWal } from './bench-wal.js';
import type { Benchmark } from './bench-context.js';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  enqueue: benchEnqueue,
  wal: benchWal,
  recorder: benchRecorder,
  sync: benchSync,
  dashboard: benchDashboard,
  export: benchExport,
  logger: benchLogger,
  catalogue: benchCatalogue,
  nats: benchNats,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const chosen = positionals.length > 0 ? positionals : Object.keys(benchmarks);
const unknown = chosen.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  console.error(`unknown benchmark ${unknown.join(', ')}, allowed: ${Object.keys(benchmarks).join(', ')}`);
  process.exit(2);
}
const folder = await mkdtemp(join(resolve(values.folder), 'holdfast-bench-'));
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryMb: totalmem() / 1e6,
  kernel: release(),
};
const report: Record<string, unknown> = {
  machine,
  node: process.version,
  rounds: values.rounds,
  scale: values.scale,
};
const misses: string[] = [];
try {
  for (const name of chosen) {
    const context = { rounds: Number(values.rounds), scale: Number(values.scale), folder, say: console.log };
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
