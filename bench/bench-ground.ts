import { join } from 'node:path';
import { unusedPort } from '../src/app/demo/ground/link-tunnel.js';
import { renderTable } from '../src/host/human.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { loadCatalogue } from './ground/catalogue-load.js';
import { enrolAll, FIELDS, loadBaseline, loadGround, type LoadResult } from './ground/service-load.js';
import { startGround, type Talk } from './ground/services.js';
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
const SEGMENTS = 100_000;
const UPLINKS = 20;
const CPU_ROUNDS = 3;

const targets = {
  ...{ durablePerS: 20_000, p99Ms: 1_000, ratio: 10, robotCpuPercent: 1 },
  ...{ smallFleetMb: 250, searchMs: 100, rebuildS: 300 },
} as const;

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
  const robotCpuPercent = await robotCpu(join(folder, 'robot-cpu'), Math.max(3, Math.round(seconds / 3)));
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

/** The ground with more and more robots, as the plain service is measured: more than it can take is no fault of a load. */
async function loadLarger(folder: string, robots: number, seconds: number): Promise<LoadResult[]> {
  const results: LoadResult[] = [];
  for (const share of LARGER_SHARES) {
    const fleet = Math.round(robots * share);
    results.push(await loadGround(join(folder, String(fleet)), fleet, seconds));
  }
  return results;
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

/**
 * Percent of a core that an uplink with its outbox adds to a process that makes the messages: the median of several
 * rounds, of several uplinks to a ground.
 */
async function robotCpu(folder: string, seconds: number): Promise<number> {
  const tokenFile = await enrolAll(folder, UPLINKS);
  await using ground = await startGround(folder, await unusedPort());
  const cpuOf = async (url: string): Promise<number> => {
    const args = [url, seconds, tokenFile, folder];
    return (await runCase<{ cpuS: number }>('ground/robot-cpu-case', args)).cpuS;
  };
  const percents: number[] = [];
  for (let round = 0; round < CPU_ROUNDS; round++) {
    const without = await cpuOf('no');
    percents.push((100 * ((await cpuOf(ground.url.replace(/^http/, 'ws'))) - without)) / seconds / UPLINKS);
  }
  return quantile(percents, 0.5);
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
    'dropped/s',
    'sent again %',
    'drained s',
    'missing',
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
  const again = [one.droppedPerS, 100 * one.resentShare, one.drainS, one.missing];
  const uses = [cpu.service, cpu.database, cpu.robots, memoryMb.service, memoryMb.database, memoryMb.robots];
  return [
    name,
    String(robots),
    String(one.disconnected),
    ...rates.map(whole),
    ...again.map(whole),
    ...uses.map(whole),
  ];
}
