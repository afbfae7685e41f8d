import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { unusedPort } from '../src/app/demo/ground/link-tunnel.js';
import { RobotRegistry } from '../src/ground/robot-registry.js';
import { renderTable } from '../src/host/human.js';
import { systemClock } from '../src/host/system-clock.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { loadCatalogue } from './ground/catalogue-load.js';
import { PageLatency } from './ground/page-latency.js';
import { measureProcess, measureService } from './ground/measure-service.js';
import { startBaseline, startGround, startRobots, type Service, type Talk } from './ground/services.js';
import { quantile } from './measure.js';
import { runCase } from './run-child.js';

const ROBOTS = 1_000;
const SMALL_FLEET = 50;
/** Larger fleets, as multiples of 1,000 robots: up to as many as may connect, which is more than two cores can store. */
const LARGER_SHARES = [1.25, 1.5, 2] as const;
/** Loads of the plain service: parts of as many messages as 1,000 robots send samples. */
const PLAIN_SHARES = [0.1, 0.2, 0.3, 0.4, 0.6, 1] as const;
const SECONDS = 45;
const SMALL_SECONDS = 20;
/** After all are connected; then memory and caches are as they stay. */
const WARM_UP_S = 5;
/** Robots send for so long after the measurement, which takes longer to end when the service is busy. */
const AFTERWARDS_S = 5;
const SEGMENTS = 100_000;
const UPLINKS = 20;
const FIELDS = 8;

const targets = {
  ...{ durablePerS: 20_000, p99Ms: 1_000, ratio: 10, robotCpuPercent: 1 },
  ...{ smallFleetMb: 250, searchMs: 100, rebuildS: 300 },
} as const;

interface LoadResult {
  readonly robots: number;
  /** Robots whose connection ended before the load did. */
  readonly disconnected: number;
  /** Samples of single fields per second: sent, and durable. */
  readonly offeredPerS: number;
  readonly durablePerS: number;
  readonly bytesPerS: number;
  /** From sample to page, milliseconds; absent: there is no page. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Percent of a core. */
  readonly cpu: { readonly service: number; readonly database: number; readonly robots: number };
  readonly memoryMb: { readonly service: number; readonly database: number; readonly robots: number };
}

/** A ground under the load of a fleet, against a plain service, and its catalogue with many segments. */
export async function benchGround({ folder, scale, say }: BenchContext): Promise<BenchReport> {
  const robots = Math.max(2, Math.round(ROBOTS * scale));
  const [seconds, smallSeconds] = [SECONDS, SMALL_SECONDS].map((one) =>
    Math.max(4, Math.round(one * Math.min(1, scale * 2))),
  ) as [number, number];
  const ground = await loadGround(join(folder, 'ground'), robots, seconds);
  const small = await loadGround(join(folder, 'small'), Math.min(SMALL_FLEET, robots), smallSeconds);
  for (const one of [ground, small]) {
    if (one.disconnected > 0)
      throw new Error(`${one.disconnected} of ${one.robots} robots were disconnected`);
  }
  const larger = await loadLarger(join(folder, 'larger'), robots, smallSeconds);
  const plain = await bestBaseline('json-samples', join(folder, 'plain'), robots, smallSeconds);
  const plainValues = await bestBaseline(
    'json-values',
    join(folder, 'plain-values'),
    Math.round(robots / FIELDS),
    smallSeconds,
  );
  const durableMost = Math.max(...[ground, ...larger].map((one) => one.durablePerS));
  const [ratio, ratioOfSamples] = [plainValues, plain].map((one) => durableMost / one.durablePerS) as [
    number,
    number,
  ];
  say(`\nground: ${FIELDS} fields at 10 samples/s, ${seconds} s; "durable" are values of fields on the disk`);
  const rows = {
    ground,
    'ground, few robots': small,
    'plain, by value': plainValues,
    'plain, by sample': plain,
  };
  for (const line of tableOf([
    ...Object.entries(rows),
    ...larger.map((one): [string, LoadResult] => ['ground, more robots', one]),
  ]))
    say(line);
  say(
    `the ground makes ${ratio.toFixed(1)} times as many values durable as the plain service with a message and an ` +
      `INSERT for each value, and ${ratioOfSamples.toFixed(1)} times as many as with one for each sample of all fields`,
  );
  const robotCpuPercent = await robotCpu(Math.max(3, Math.round(seconds / 3)));
  say(`uplink of one robot: ${robotCpuPercent.toFixed(2)} % of a core`);
  const catalogue = await loadCatalogue(folder, Math.max(200, Math.round(SEGMENTS * scale)));
  const slowest = Math.max(...Object.values(catalogue.searchMs));
  say(
    `catalogue of ${catalogue.segments.toLocaleString('en')} segments: rebuilt in ${catalogue.rebuildS.toFixed(1)} s, ` +
      `listed again in ${catalogue.refreshS.toFixed(1)} s, slowest search ${slowest.toFixed(0)} ms`,
  );
  const results = {
    ground,
    small,
    larger,
    plain,
    plainValues,
    ratio,
    ratioOfSamples,
    robotCpuPercent,
    catalogue,
  };
  const measured = {
    ...{ durablePerS: ground.durablePerS, p99Ms: ground.p99Ms ?? Infinity, ratio, robotCpuPercent },
    smallFleetMb: small.memoryMb.service + small.memoryMb.database,
    ...{ searchMs: slowest, rebuildS: catalogue.rebuildS },
  };
  return { results, misses: missesOf(measured) };
}

function missesOf(measured: Readonly<Record<keyof typeof targets, number>>): readonly string[] {
  const atLeast = new Set<string>(['durablePerS', 'ratio']);
  return Object.entries(targets).flatMap(([name, target]) => {
    const value = measured[name as keyof typeof targets];
    const isReached = atLeast.has(name) ? value >= target : value <= target;
    return isReached ? [] : [`ground: ${name} is ${value.toFixed(1)}, target ${target}`];
  });
}

async function loadGround(folder: string, robots: number, seconds: number): Promise<LoadResult> {
  const registry = new RobotRegistry(folder, { fs, clock: systemClock, random: randomBytes });
  await fs.mkdir(folder, { recursive: true });
  const tokens: Record<string, string> = {};
  for (let i = 0; i < robots; i++) tokens[nameOf(i)] = await registry.enrol(nameOf(i));
  await using service = await startGround(folder, await unusedPort());
  using page = new PageLatency(service.url);
  const result = await load('uplink', service, folder, tokens, seconds, () => page.begin());
  const [p50Ms, p99Ms] = [0.5, 0.99].map((q) => quantile(page.latenciesMs, q)) as [number, number];
  return { ...result, p50Ms, p99Ms };
}

/** The ground with more and more robots, as the plain service is measured: more than it can take is no fault of a load. */
async function loadLarger(folder: string, robots: number, seconds: number): Promise<LoadResult[]> {
  const results: LoadResult[] = [];
  for (const share of LARGER_SHARES) {
    const fleet = Math.round(robots * share);
    results.push(await loadGround(join(folder, String(fleet)), fleet, seconds));
  }
  return results;
}

async function loadBaseline(
  talk: Talk,
  folder: string,
  robots: number,
  seconds: number,
): Promise<LoadResult> {
  await fs.mkdir(folder, { recursive: true });
  await using service = await startBaseline(talk, folder);
  const tokens = Object.fromEntries(Array.from({ length: robots }, (_, i) => [nameOf(i), '']));
  return await load(talk, service, folder, tokens, seconds, () => undefined);
}

/**
 * The plain service at the load at which it stores most. It has nothing against more than it can take: beyond that its
 * backlog grows, and it stores less.
 */
async function bestBaseline(
  talk: Talk,
  folder: string,
  robots: number,
  seconds: number,
): Promise<LoadResult> {
  const results: LoadResult[] = [];
  for (const share of PLAIN_SHARES) {
    const fleet = Math.max(2, Math.round(robots * share));
    results.push(await loadBaseline(talk, join(folder, String(fleet)), fleet, seconds));
  }
  return results.reduce((best, one) => (one.durablePerS > best.durablePerS ? one : best));
}

async function load(
  talk: Talk,
  service: Service,
  folder: string,
  tokens: Readonly<Record<string, string>>,
  seconds: number,
  onBegin: () => void,
): Promise<LoadResult> {
  const tokenFile = join(folder, 'tokens.json');
  await fs.writeFile(tokenFile, JSON.stringify(tokens));
  const { pid, ended } = await startRobots(talk, service.url, tokenFile, WARM_UP_S + seconds + AFTERWARDS_S);
  await systemClock.sleep(WARM_UP_S * 1_000);
  onBegin();
  const [began, durable] = [performance.now(), await service.durable()];
  const [before, robotsBefore] = [measureService(service.pid), measureProcess(pid)];
  await systemClock.sleep(seconds * 1_000);
  const [after, robotsAfter] = [measureService(service.pid), measureProcess(pid)];
  const elapsedS = (performance.now() - began) / 1_000;
  const durablePerS = ((await service.durable()) - durable) / elapsedS;
  const { samples, bytes, elapsedS: sentS, robots, lost } = await ended;
  const share = (from: number, to: number): number => (100 * (to - from)) / elapsedS;
  return {
    ...{
      robots,
      disconnected: lost,
      durablePerS,
      offeredPerS: (samples * FIELDS) / sentS,
      bytesPerS: bytes / sentS,
    },
    cpu: {
      service: share(before.service.cpuS, after.service.cpuS),
      database: share(before.database.cpuS, after.database.cpuS),
      robots: share(robotsBefore.cpuS, robotsAfter.cpuS),
    },
    memoryMb: {
      ...{ service: after.service.memoryMb, database: after.database.memoryMb },
      robots: robotsAfter.memoryMb,
    },
  };
}

/** Percent of a core that an uplink adds to a process that makes the messages; several uplinks, so that it shows. */
async function robotCpu(seconds: number): Promise<number> {
  const cpuOf = async (isOn: string): Promise<number> =>
    (await runCase<{ cpuS: number }>('ground/robot-cpu-case', [isOn, seconds, UPLINKS])).cpuS;
  const [without, withUplinks] = [await cpuOf('no'), await cpuOf('yes')];
  return Math.max(0, (100 * (withUplinks - without)) / seconds / UPLINKS);
}

function nameOf(index: number): string {
  return `robot_${index + 1}`;
}

function tableOf(rows: readonly (readonly [string, LoadResult])[]): readonly string[] {
  const heads = [
    '',
    'robots',
    'cut off',
    'offered/s',
    'durable/s',
    'kB/s',
    'p50 ms',
    'p99 ms',
    'CPU % service',
  ]
    .concat(['database', 'robots', 'MB service', 'database', 'robots'])
    .map((head, i) => ({ head, right: i > 0 }));
  return renderTable(
    heads,
    rows.map(([name, result]) => rowOf(name, result)),
  );
}

function rowOf(name: string, { robots, cpu, memoryMb, ...one }: LoadResult): string[] {
  const whole = (value: number | undefined): string =>
    value === undefined ? '' : Math.round(value).toLocaleString('en');
  const rates = [one.offeredPerS, one.durablePerS, one.bytesPerS / 1_000, one.p50Ms, one.p99Ms];
  const uses = [cpu.service, cpu.database, cpu.robots, memoryMb.service, memoryMb.database, memoryMb.robots];
  return [name, String(robots), String(one.disconnected), ...rates.map(whole), ...uses.map(whole)];
}
