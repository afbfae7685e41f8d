import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { unusedPort } from '../../src/app/demo/ground/link-tunnel.js';
import { RobotRegistry } from '../../src/ground/robot-registry.js';
import { systemClock } from '../../src/host/system-clock.js';
import { quantile } from '../measure.js';
import { fieldNames } from './fleet-values.js';
import { measureProcess, measureService } from './measure-service.js';
import { PageLatency } from './page-latency.js';
import { startBaseline, startGround, startRobots, type Service, type Talk } from './services.js';

/** After all are connected; then memory and caches are as they stay. */
const WARM_UP_S = 5;
/** Robots send for so long after the measurement, which takes longer to end when the service is busy. */
const AFTERWARDS_S = 5;

export const FIELDS = fieldNames.length;

/** What a service did under the load of a fleet. */
export interface LoadResult {
  readonly robots: number;
  /** Robots whose connection ended before the load did. */
  readonly disconnected: number;
  /** Samples of single fields per second: sent, and durable. */
  readonly offeredPerS: number;
  readonly durablePerS: number;
  readonly bytesPerS: number;
  /** Values that the service did not take while it was measured, per second: a robot sends them again. */
  readonly droppedPerS: number;
  /** Samples that outboxes sent, against those that were made: with each repetition. */
  readonly resentShare: number;
  /** After the load, until the outboxes were empty, seconds. */
  readonly drainS: number;
  /** Values that no history has after that. */
  readonly missing: number;
  /** From sample to page, milliseconds; absent: there is no page. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Percent of a core. */
  readonly cpu: { readonly service: number; readonly database: number; readonly robots: number };
  readonly memoryMb: { readonly service: number; readonly database: number; readonly robots: number };
}

/** Enrols robots at the ground of a folder. Returns the file with a token for each name. */
export async function enrolAll(folder: string, robots: number): Promise<string> {
  const registry = new RobotRegistry(folder, { fs, clock: systemClock, random: randomBytes });
  await fs.mkdir(folder, { recursive: true });
  const tokens: Record<string, string> = {};
  for (let i = 0; i < robots; i++) tokens[nameOf(i)] = await registry.enrol(nameOf(i));
  return await writeTokens(folder, tokens);
}

async function writeTokens(folder: string, tokens: Readonly<Record<string, string>>): Promise<string> {
  const file = join(folder, 'tokens.json');
  await fs.writeFile(file, JSON.stringify(tokens));
  return file;
}

/** The ground, with a page that is open. */
export async function loadGround(folder: string, robots: number, seconds: number): Promise<LoadResult> {
  const tokenFile = await enrolAll(folder, robots);
  await using service = await startGround(folder, await unusedPort());
  using page = new PageLatency(service.url);
  const result = await load('uplink', service, tokenFile, seconds, () => page.begin());
  const [p50Ms, p99Ms] = [0.5, 0.99].map((q) => quantile(page.latenciesMs, q)) as [number, number];
  return { ...result, p50Ms, p99Ms };
}

/** The plain service. */
export async function loadBaseline(
  talk: Talk,
  folder: string,
  robots: number,
  seconds: number,
): Promise<LoadResult> {
  await fs.mkdir(folder, { recursive: true });
  await using service = await startBaseline(talk, folder);
  const tokens = Object.fromEntries(Array.from({ length: robots }, (_, i) => [nameOf(i), '']));
  return await load(talk, service, await writeTokens(folder, tokens), seconds, () => undefined);
}

async function load(
  talk: Talk,
  service: Service,
  tokenFile: string,
  seconds: number,
  onBegin: () => void,
): Promise<LoadResult> {
  const { pid, ended } = await startRobots(talk, service.url, tokenFile, WARM_UP_S + seconds + AFTERWARDS_S);
  await systemClock.sleep(WARM_UP_S * 1_000);
  onBegin();
  const [began, durable, dropped] = [performance.now(), await service.durable(), await service.dropped()];
  const [before, robotsBefore] = [measureService(service.pid), measureProcess(pid)];
  await systemClock.sleep(seconds * 1_000);
  const [after, robotsAfter] = [measureService(service.pid), measureProcess(pid)];
  const elapsedS = (performance.now() - began) / 1_000;
  const durablePerS = ((await service.durable()) - durable) / elapsedS;
  const droppedPerS = ((await service.dropped()) - dropped) / elapsedS;
  const { samples, bytes, elapsedS: sentS, robots, lost, resent, drainS } = await ended;
  const missing = samples * FIELDS - (await service.durable());
  const share = (from: number, to: number): number => (100 * (to - from)) / elapsedS;
  return {
    ...{
      robots,
      disconnected: lost,
      durablePerS,
      offeredPerS: (samples * FIELDS) / sentS,
      bytesPerS: bytes / sentS,
    },
    ...{ droppedPerS, resentShare: resent / samples, drainS, missing },
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

function nameOf(index: number): string {
  return `robot_${index + 1}`;
}
