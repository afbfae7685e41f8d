import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import WebSocket from 'ws';
import { renderTable } from '../src/host/human.js';
import { askRole } from '../src/app/control/control-client.js';
import { mainScript } from '../src/app/setup/main-script.js';
import { systemClock } from '../src/host/system-clock.js';
import type { RecorderStatus } from '../src/core/status.js';
import { nodeFlags } from '../src/core/node-flags.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { cpuSeconds, median } from './measure.js';

const PAGES = 10;
const FLOOD_SECONDS = 20;
const CALM_SECONDS = 30;
/** As fast as the recorder accepts it, so the recording has the messages for which there was time. */
const FLOOD = 'channels=10&robots=2&size=1000&rate=max&entropy=0.5';
/** A robot of 300 topics at 10 Hz. */
const CALM = 'channels=300&robots=1&size=100&rate=3000';
/** Recording with ten pages against recording with none. */
const RATIO_MIN = 0.9;
/** What one page may cost. */
const PAGE_MAX_CPU_PERCENT = 3;

interface Run {
  readonly mbPerS: number;
  readonly cpuPercent: number;
  readonly dropped: number;
  /** What all pages together were sent, bytes per second. */
  readonly pageBytesPerS: number;
}

/** What those who watch cost the recording: throughput with ten pages as a ratio, CPU of one page. */
export async function benchDashboard({ folder, rounds, scale, say }: BenchContext): Promise<BenchReport> {
  const data = join(folder, 'dashboard');
  const flood: Record<'none' | 'pages', Run[]> = { none: [], pages: [] };
  const calm: Record<'none' | 'page', Run[]> = { none: [], page: [] };
  // In turn, so that what else the machine does falls on both alike.
  for (let round = 0; round < rounds; round++) {
    flood.none.push(await run(data, FLOOD, FLOOD_SECONDS * scale, 0));
    flood.pages.push(await run(data, FLOOD, FLOOD_SECONDS * scale, PAGES));
    calm.none.push(await run(data, CALM, CALM_SECONDS * scale, 0));
    calm.page.push(await run(data, CALM, CALM_SECONDS * scale, 1));
  }
  const of = (runs: readonly Run[], key: keyof Run): number => median(runs.map((one) => one[key]));
  const rows: [string, readonly Run[]][] = [
    ['flood, nobody watches', flood.none],
    [`flood, ${PAGES} pages`, flood.pages],
    ['300 topics, nobody watches', calm.none],
    ['300 topics, 1 page', calm.page],
  ];
  say('');
  say('what pages cost the recording (medians; CPU of the recorder in percent of one core)');
  renderTable(
    ['', 'MB/s recorded', 'CPU %', 'dropped', 'kB/s to pages'].map((head, i) => ({ head, right: i > 0 })),
    rows.map(([name, runs]) => [
      name,
      of(runs, 'mbPerS').toFixed(1),
      of(runs, 'cpuPercent').toFixed(1),
      String(of(runs, 'dropped')),
      (of(runs, 'pageBytesPerS') / 1e3).toFixed(0),
    ]),
  ).forEach((line) => say(line));
  const ratio = of(flood.pages, 'mbPerS') / of(flood.none, 'mbPerS');
  const pageCpu = of(calm.page, 'cpuPercent') - of(calm.none, 'cpuPercent');
  say(
    `recording with ${PAGES} pages / with none: ${ratio.toFixed(3)}; one page costs ${pageCpu.toFixed(1)} % of a core`,
  );
  const misses = [
    ...(ratio < RATIO_MIN ? [`dashboard: ratio ${ratio.toFixed(3)}, target ${RATIO_MIN}`] : []),
    ...(pageCpu > PAGE_MAX_CPU_PERCENT
      ? [`dashboard: one page costs ${pageCpu.toFixed(1)} % of a core, target ${PAGE_MAX_CPU_PERCENT}`]
      : []),
  ];
  return { results: { flood, calm, ratio, pageCpuPercent: pageCpu }, misses };
}

async function run(data: string, flood: string, seconds: number, pages: number): Promise<Run> {
  await rm(data, { recursive: true, force: true });
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      // As the installed command starts.
      ...nodeFlags,
      mainScript,
      ...['record', '--json', '--log-format', 'json', '--web-port', '0', '--no-foxglove'],
      ...['--source', `sim:?shape=flood&${flood}`, '--data', data],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const closed = once(child, 'close');
  let pageBytes = 0;
  const sockets: WebSocket[] = [];
  try {
    const url = await pageAddress(child);
    for (let page = 0; page < pages; page++) {
      const socket = new WebSocket(new URL('/live', url.replace(/^http/, 'ws')));
      socket.on('message', (message: Buffer) => (pageBytes += message.length));
      socket.on('error', () => {});
      sockets.push(socket);
    }
    // Start-up, and what each page is sent at first, is not what is measured.
    await systemClock.sleep(2_000);
    const look = async (): Promise<{
      bytes: number;
      dropped: number;
      cpu: number;
      at: number;
      page: number;
    }> => {
      const { totals } = (await askRole(data, 'recorder', 'status', { timeoutMs: 30_000 })) as RecorderStatus;
      const cpu = cpuSeconds(child.pid as number);
      return {
        bytes: totals.durableBytes,
        dropped: totals.dropped,
        cpu,
        at: performance.now(),
        page: pageBytes,
      };
    };
    const before = await look();
    await systemClock.sleep(Math.max(1_000, seconds * 1_000));
    const after = await look();
    const elapsedS = (after.at - before.at) / 1_000;
    return {
      mbPerS: (after.bytes - before.bytes) / 1e6 / elapsedS,
      cpuPercent: ((after.cpu - before.cpu) / elapsedS) * 100,
      dropped: after.dropped - before.dropped,
      pageBytesPerS: (after.page - before.page) / elapsedS,
    };
  } finally {
    for (const socket of sockets) socket.terminate();
    child.kill('SIGTERM');
    await closed;
    await rm(data, { recursive: true, force: true });
  }
}

/** The address the recorder says it serves at. */
function pageAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString('utf8')).slice(-64_000);
      const match = /"event":"dashboard","url":"([^"]+)"/.exec(text);
      if (match) resolve(match[1]!);
    });
    child.once('close', () => reject(new Error(`the recorder ended without a dashboard: ${text}`)));
  });
}
