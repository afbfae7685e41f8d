import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder } from '../../src/core/data-folder.js';

import { Random } from '../../src/core/random.js';
import type { Store } from '../../src/core/store.js';
import type { DeletionRequest } from '../../src/deletion/deletion-request.js';
import { systemClock } from '../../src/host/system-clock.js';
import { lakeForms, readLake } from '../../src/jobs/lake/lake-state.js';
import { loadZstd, rowsOf } from '../../src/jobs/lake/merge-tables.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { listSegments } from '../../src/recordings/segments.js';
import type { Located } from '../../src/recordings/locate.js';
import { mergeRuns } from '../../src/recordings/merged-messages.js';
import { storeReadable } from '../../src/recordings/store-readable.js';
import { verify } from '../../src/recordings/verify.js';
import { openStore } from '../../src/stores/open-store.js';
import { CHAT_MESSAGES, SECOND, sealedFolder, START } from '../recordings/sealed-fixture.js';
import { runCli, spawnCli } from './cli.js';

const SEGMENTS = 12;
const MS = 1_000_000n;
/** Cuts through the segments 3 and 9, and takes those between whole. */
const WINDOW: DeletionRequest = {
  robot: 'r1',
  from: START + 30n * SECOND + 200n * MS,
  to: START + 90n * SECOND + 250n * MS,
};
const marker = (segment: number, line: number): string =>
  `marker-${segment}-${line}-${'0123456789abcdef'.repeat(2)}`;

export interface DeletionCampaignOptions {
  readonly kills: number;
  readonly seed: number;
  readonly onKill?: (done: number) => void;
}

export interface DeletionCampaignResult {
  readonly kills: number;
  /** Kills after the deletion had begun, by its journal, and before it had finished. */
  readonly interrupted: number;
  /** What was wrong after a deletion was finished, or what was missing after a kill. */
  readonly findings: readonly string[];
}

/**
 * Kills `holdfast delete` over a data folder, a store and a lake at random moments and runs it again, until it has
 * finished; then everything is compared with what had to stay and what had to go. The same seed gives the same moments,
 * as far as a machine repeats itself.
 */
export async function runDeletionCampaign(options: DeletionCampaignOptions): Promise<DeletionCampaignResult> {
  const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-deletion-campaign-'));
  try {
    return await campaign(root, options);
  } finally {
    await fs.rm(root, { recursive: true, force: true });
  }
}

async function campaign(
  root: string,
  { kills: wanted, seed, onKill }: DeletionCampaignOptions,
): Promise<DeletionCampaignResult> {
  const random = new Random(seed);
  const [kept, work] = [join(root, 'kept'), join(root, 'work')];
  await prepare(kept);
  const key = join(root, 'delete.key');
  await expectOk(['keygen', '--signing', '--out', key]);
  const args = deleteArgs(work, key);
  await fs.cp(kept, work, { recursive: true });
  const begun = systemClock.monotonic();
  await expectOk(args);
  const wholeMs = Number(systemClock.monotonic() - begun) / 1e6;
  const findings = [...(await check(work))];
  let [kills, interrupted] = [0, 0];
  while (kills < wanted) {
    await fs.rm(work, { recursive: true });
    await fs.cp(kept, work, { recursive: true });
    while (kills < wanted) {
      const { child, ended } = spawnCli(args);
      const afterMs = wholeMs * (0.2 + 0.8 * random.unit());
      const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
      const { signal } = await ended;
      clearTimeout(timer);
      if (signal === null) break;
      kills++;
      onKill?.(kills);
      if ((await fs.readdir(join(work, 'out'))).some((name) => name.endsWith('.journal'))) interrupted++;
      findings.push(...(await missing(work)).map((text) => `after kill ${kills}: ${text}`));
    }
    await expectOk(args);
    findings.push(...(await check(work)).map((text) => `after ${kills} kills: ${text}`));
  }
  return { kills, interrupted, findings };
}

async function prepare(root: string): Promise<void> {
  for (const name of ['store', 'lake', 'out']) await fs.mkdir(join(root, name), { recursive: true });
  await sealedFolder(join(root, 'data'), SEGMENTS, {
    textOf: (robot, segment, line) =>
      isNamed(robot, segment, line) ? marker(segment, line) : `${robot} ${segment} ${line}`,
    compression: 'none',
  });
  const sinks = [
    '--store',
    `dir:${join(root, 'store')}`,
    '--sink',
    `parquet:dir:${join(root, 'lake')}?compression=none`,
  ];
  await expectOk(['sync', '--data', join(root, 'data'), ...sinks, '--drain']);
}

function deleteArgs(root: string, key: string): string[] {
  const places = [
    '--data',
    join(root, 'data'),
    '--store',
    `dir:${join(root, 'store')}`,
    `dir:${join(root, 'lake')}`,
  ];
  const { robot, from, to } = WINDOW;
  const what = ['--robot', robot, '--from', String(from), '--to', String(to)];
  return [
    'delete',
    ...places,
    ...what,
    '--yes',
    '--reason',
    'campaign',
    '--sign-key',
    key,
    '--out',
    join(root, 'out'),
  ];
}

async function expectOk(args: readonly string[]): Promise<void> {
  const { exitCode, stderr, stdout } = await runCli([...args]);
  if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}: ${stdout} ${stderr}`);
}

function isNamed(robot: string, segment: number, line: number): boolean {
  const at = START + BigInt(segment) * 10n * SECOND + BigInt(line) * 10n * MS;
  return robot === WINDOW.robot && at >= WINDOW.from && at <= WINDOW.to;
}

/** The texts of all messages that stay. */
function staying(): string[] {
  const texts: string[] = [];
  for (const robot of ['r1', 'r2']) {
    for (let segment = 1; segment <= SEGMENTS; segment++) {
      for (let line = 0; line < CHAT_MESSAGES; line++) {
        if (!isNamed(robot, segment, line)) texts.push(`${robot} ${segment} ${line}`);
      }
    }
  }
  return texts.sort();
}

/** Everything after a deletion that has finished. */
async function check(root: string): Promise<string[]> {
  const wanted = staying();
  const findings = await differences(root, (what, found) => {
    if (found.join() === wanted.join()) return [];
    const there = new Set(found);
    const lost = wanted.filter((text) => !there.has(text));
    return [`${what}: ${found.length} of ${wanted.length} messages, missing ${lost.slice(0, 3).join(', ')}`];
  });
  await using files = new FilePool(fs);
  for (const located of await locatedIn(root)) {
    const report = await verify(located, { files });
    for (const { where, what, actual } of report.findings) findings.push(`${where}: ${what} is ${actual}`);
    if (located.kind === 'store') await located.store[Symbol.asyncDispose]();
  }
  for (const name of await fs.readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(name.parentPath, name.name);
    if (name.isFile() && (await fs.readFile(path)).includes('marker-')) findings.push(`${path} has a marker`);
    if (/\.tmp$|\.journal$|\.evicted$/.test(name.name)) findings.push(`${path} was left behind`);
  }
  return findings;
}

/** What has to stay and is nowhere after a kill. */
function missing(root: string): Promise<string[]> {
  return differences(root, (what, found) => {
    const there = new Set(found);
    const lost = staying().filter((text) => !there.has(text));
    return lost.length === 0 ? [] : [`${what}: lost ${lost.slice(0, 3).join(', ')}`];
  });
}

async function differences(
  root: string,
  compare: (what: string, found: readonly string[]) => string[],
): Promise<string[]> {
  const findings: string[] = [];
  for (const located of await locatedIn(root)) {
    findings.push(...compare(located.kind, await textsOf(located)));
    if (located.kind === 'store') await located.store[Symbol.asyncDispose]();
  }
  findings.push(...compare('lake', await rowsOfLake(join(root, 'lake'))));
  return findings;
}

async function locatedIn(root: string): Promise<Located[]> {
  return [
    { kind: 'data', folder: dataFolder(join(root, 'data')) },
    { kind: 'store', store: await storeAt(join(root, 'store')) },
  ];
}

function storeAt(path: string): Promise<Store> {
  return openStore(`dir:${path}`, {}, { fileSystem: fs, clock: systemClock, random: randomBytes });
}

/** The texts on the chats, recorded ones. */
async function textsOf(located: Located): Promise<string[]> {
  await using files = new FilePool(fs);
  const onProblem = (): void => undefined;
  const segments = await listSegments(located, { files, onProblem });
  const texts: string[] = [];
  for await (const { messages } of mergeRuns(segments, { filter: { topics: ['*/chat'] }, onProblem })) {
    for (const { data } of messages) texts.push(Buffer.from(data).subarray(8, -1).toString());
  }
  return texts.sort();
}

/** The same from the files that readers of the manifests see. */
async function rowsOfLake(path: string): Promise<string[]> {
  await using store = await storeAt(path);
  const { signal } = new AbortController();
  const zstd = await loadZstd();
  const texts: string[] = [];
  for (const form of await lakeForms(store, signal)) {
    for (const { key, bytes } of (await readLake(store, form, signal, () => undefined)).live.values()) {
      if (!key.includes('chat')) continue;
      for await (const row of rowsOf({ key, readable: storeReadable(store, key, bytes) }, zstd)) {
        const { data } = row;
        texts.push(typeof data === 'string' ? data : Buffer.from(data as Uint8Array).toString());
      }
    }
  }
  return texts.sort();
}
