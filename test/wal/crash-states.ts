import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import * as realFs from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defined } from '../../src/core/defined.js';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import type { FileHandle, FileSystem } from '../../src/core/file-system.js';
import { silentLogger } from '../../src/core/logger.js';
import { decodeManifest, isDigested, manifestKey, type Manifest } from '../../src/core/manifest.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { sealSegment } from '../../src/seal/seal-segment.js';
import { Sealer } from '../../src/seal/sealer.js';
import type { WalKeys } from '../../src/wal/segment-cipher.js';
import { recoverWal } from '../../src/wal/recover.js';
import type { Durability } from '../../src/wal/durability.js';
import { openedSegment, testRecipient, testWalKeys } from '../support/encrypted-segments.js';
import { DiskModel, type CutChoice, type Survival } from '../support/crash-shim/disk-model.js';
import { readTrace, shimLibrary, type TraceEvent } from '../support/crash-shim/trace.js';
import { crashMessage, crashNumber } from './crash-message.js';
import { identity } from './wal-support.js';
import { TestClock } from '../support/test-clock.js';
import { Random } from '../../src/core/random.js';

/** Nothing, segments when they are sealed, or also the WAL. */
export type Encrypted = 'nothing' | 'sealed' | 'wal';

/** One run of the driver process under the shim. */
export interface DriverRun {
  readonly seed: number;
  readonly firstNumber: number;
  readonly commits: number;
  readonly durability: Durability;
  readonly ending: 'kill' | 'close';
  /** Payloads of this many bytes and more are written in place; absent: none are. */
  readonly inPlaceMinBytes?: number;
  /** What is encrypted. Default: nothing. */
  readonly encrypted?: Encrypted;
}

/** For the WAL. */
export const walKeysOf = (encrypted: Encrypted): WalKeys => (encrypted === 'wal' ? testWalKeys : []);

/** Runs drivers one after the other on one folder; their file-system calls, in order. */
export async function traceDrivers(parent: string, runs: readonly DriverRun[]): Promise<TraceEvent[]> {
  const root = join(parent, 'data');
  const [trace, marks] = [join(parent, 'trace'), join(parent, 'marks')];
  const self = fileURLToPath(import.meta.url);
  const driver = self.replace('crash-states', 'crash-driver');
  const loader = extname(self) === '.ts' ? ['--import', 'tsx'] : [];
  for (const run of runs) {
    const {
      seed,
      firstNumber,
      commits,
      durability,
      ending,
      inPlaceMinBytes = 0,
      encrypted = 'nothing',
    } = run;
    const numbers = [seed, firstNumber, commits, durability, ending, inPlaceMinBytes, encrypted];
    const args = [root, marks, ...numbers].map(String);
    const child = spawn(process.execPath, [...loader, driver, ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        LD_PRELOAD: shimLibrary(),
        CRASH_ROOT: root,
        CRASH_TRACE: trace,
        CRASH_MARKS: marks,
        UV_USE_IO_URING: '0',
      },
    });
    const signal = await new Promise((resolve) => child.on('exit', (code, by) => resolve(by ?? code)));
    assert.equal(signal, ending === 'kill' ? 'SIGKILL' : 0, 'the driver ended as it should');
  }
  return readTrace(trace, root);
}

export interface Restored {
  /** Message number -> how often it stands in sealed objects. */
  readonly found: ReadonlyMap<number, number>;
  readonly manifests: readonly Manifest[];
  /** Segments of which nothing or not everything could be read. */
  readonly quarantined: readonly { readonly state: string; readonly salvagedAs?: string }[];
}

/** Recovers and seals a data folder in this process, as the recorder does at its start, and reads it all. */
export async function restore(
  root: string,
  fs: FileSystem,
  encrypted: Encrypted = 'nothing',
): Promise<Restored> {
  const folder = dataFolder(root);
  await sealEverything(folder, fs, encrypted);
  return readSealed(folder, encrypted);
}

async function sealEverything(folder: DataFolder, fs: FileSystem, encrypted: Encrypted): Promise<void> {
  const { segments, head } = await recoverWal(fs, folder, silentLogger, walKeysOf(encrypted));
  const errors: unknown[] = [];
  const sealer = new Sealer(
    folder,
    {
      compression: 'none',
      level: 1,
      chunkBytes: 64 * 1024,
      splitByPriority: false,
      softwareVersion: '0',
      nodeVersion: '0',
      recipients: encrypted === 'nothing' ? [] : [testRecipient],
      walKeys: walKeysOf(encrypted),
    },
    {
      fs,
      clock: new TestClock(),
      logger: { ...silentLogger, error: (event, fields) => errors.push([event, fields]) },
      identity,
      seal: (request) => sealSegment(fs, request),
      onSealed: () => undefined,
    },
  );
  for (const { id, directory, cutAtSequence } of segments) {
    sealer.enqueue({
      id,
      directory,
      recovered: true,
      ...defined({ cutAtSequence }),
    });
  }
  await sealer.drain();
  await sealer.close();
  if (sealer.waiting > 0) throw new Error(`sealing failed: ${sealer.lastError}`, { cause: errors });
  assert.ok(head.nextSequence >= 1);
}

async function readSealed(folder: DataFolder, encrypted: Encrypted): Promise<Restored> {
  assert.deepEqual(await realFs.readdir(folder.wal), [], 'nothing waits in the WAL');
  assert.deepEqual(await realFs.readdir(folder.trash), [], 'the trash is empty');
  const found = new Map<number, number>();
  const manifests: Manifest[] = [];
  const names = await realFs.readdir(folder.sealed);
  for (const name of names) {
    assert.match(name, encrypted === 'nothing' ? /\.(mcap|json)$/ : /\.(mcap\.enc|json)$/);
    if (name.endsWith('.json')) continue;
    const path = join(folder.sealed, name);
    const text = await realFs.readFile(manifestKey(path), 'utf8');
    const manifest = decodeManifest(text, name);
    const bytes = await realFs.readFile(path);
    const { file } = manifest;
    assert.deepEqual([bytes.length, crc32(bytes)], [file.bytes, file.crc32], name);
    if (isDigested(manifest))
      assert.equal(createHash('sha256').update(bytes).digest('hex'), file.sha256, name);
    manifests.push(manifest);
    const reader = await openMcap(openedSegment(bytesReadable(bytes), manifest, name), name);
    let count = 0;
    for await (const { channel, data, logTime, publishTime } of reader.messages()) {
      const number = crashNumber(data);
      const sent = crashMessage(number);
      assert.ok(Buffer.from(sent.data).equals(data), `message ${number} has other bytes`);
      assert.equal(channel.topic, sent.channel.topic);
      assert.equal(manifest.robot, sent.channel.robot);
      if (channel.carried) continue;
      count++;
      assert.deepEqual([logTime, publishTime], [sent.receivedAt, sent.publishedAt]);
      found.set(number, (found.get(number) ?? 0) + 1);
    }
    assert.equal(count, manifest.messages, name);
  }
  assert.equal(names.length, 2 * manifests.length, 'no manifest without its object');
  checkSequences(manifests);
  const quarantined: { state: string; salvagedAs?: string }[] = [];
  for (const name of await realFs.readdir(folder.quarantine)) {
    if (name.endsWith('.json')) {
      quarantined.push(JSON.parse(await realFs.readFile(join(folder.quarantine, name), 'utf8')) as never);
    }
  }
  return { found, manifests, quarantined };
}

/** A sequence names one record for ever: no two segments may have given out the same. */
function checkSequences(manifests: readonly Manifest[]): void {
  const bySegment = new Map<string, { first: number; last: number }>();
  for (const { segment, firstSequence, lastSequence } of manifests) {
    if (firstSequence === undefined || lastSequence === undefined) continue;
    const range = bySegment.get(segment.id);
    bySegment.set(segment.id, {
      first: Math.min(range?.first ?? Infinity, firstSequence),
      last: Math.max(range?.last ?? 0, lastSequence),
    });
  }
  const ranges = [...bySegment.values()].sort((a, b) => a.first - b.first);
  ranges.forEach(({ first }, i) => assert.ok(i === 0 || first > ranges[i - 1]!.last, 'sequences overlap'));
}

/** Everything that changes, with fsyncs that do nothing: the crash states are in the trace, not in here. */
export function quickFs(before: (method: string) => void = () => undefined): FileSystem {
  const open = async (...args: Parameters<FileSystem['open']>): Promise<FileHandle> => {
    if (args[1] !== 'r') before('open');
    const handle = await realFs.open(...args);
    const skip = (method: string) => (): Promise<void> =>
      new Promise((resolve) => {
        before(method);
        resolve();
      });
    handle.sync = skip('sync');
    handle.datasync = skip('datasync');
    return handle;
  };
  const counted = Object.fromEntries(
    (['mkdir', 'rename', 'rm', 'unlink', 'rmdir', 'link', 'truncate'] as const).map((method) => [
      method,
      async (...args: unknown[]) => {
        before(method);
        return (realFs[method] as (...rest: unknown[]) => Promise<unknown>)(...args);
      },
    ]),
  );
  return { ...realFs, ...counted, open };
}

export interface CampaignOptions {
  readonly events: readonly TraceEvent[];
  readonly durability: Durability;
  /** What is encrypted. Default: nothing. */
  readonly encrypted?: Encrypted;
  /** Cuts to try, spread evenly over the trace; each with one random choice of what survives. */
  readonly states: number;
  readonly seed: number;
  /** Every n-th state: recovery itself is interrupted and repeated. */
  readonly interruptEvery: number;
  readonly scratch: string;
}

export interface CampaignResult {
  readonly states: number;
  readonly interrupted: number;
  /** States in which at least one commit was torn or missing. */
  readonly unclean: number;
  readonly salvaged: number;
}

const nameSurvivals: readonly CutChoice['names'][] = ['none', 'all', 'prefix', 'subset', 'subset'];
const survivals: readonly Survival[] = ['none', 'all', 'prefix', 'subset', 'zeros'];

/**
 * Cuts the power at moments all over the trace, restores what may be left, and compares it with what was
 * acknowledged before the cut.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { events, states, seed, interruptEvery, durability, encrypted = 'nothing', scratch } = options;
  const generator = new Random(seed);
  const random = (): number => generator.unit();
  const result = { states: 0, interrupted: 0, unclean: 0, salvaged: 0 };
  const disk = new DiskModel();
  const acknowledged = new Set<number>();
  const cuts = chooseCuts(events, states, random);
  for (const [index, event] of events.entries()) {
    disk.apply(event);
    if (event.op === 'mark') for (const line of event.text.trim().split('\n')) acknowledged.add(Number(line));
    if (!cuts.has(index)) continue;
    const names = nameSurvivals[Math.floor(random() * 5)]!;
    const choice: CutChoice = { names, bytes: survivals[Math.floor(random() * 5)]!, random };
    const what = `cut behind event ${index} of seed ${seed}, entries ${names}, bytes ${choice.bytes}`;
    const root = join(scratch, `state-${index}`);
    disk.materialize(root, choice);
    try {
      const interrupts = interruptEvery > 0 && result.states % interruptEvery === 0;
      if (interrupts) result.interrupted += await interruptOften(root, random, encrypted);
      const restored = await restore(root, quickFs(), encrypted);
      checkRestored(restored, acknowledged, durability);
      const again = await restore(root, quickFs(), encrypted);
      assert.deepEqual(again, restored, 'a second recovery changes nothing');
      result.states++;
      if (restored.manifests.some(({ uncleanEnd }) => uncleanEnd)) result.unclean++;
      if (restored.quarantined.some(({ salvagedAs }) => salvagedAs)) result.salvaged++;
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
    }
    await realFs.rm(root, { recursive: true, force: true });
  }
  return result;
}

/** Moments spread over the trace; most of them just before an fsync, when the most is at stake. */
function chooseCuts(events: readonly TraceEvent[], states: number, random: () => number): Set<number> {
  const all = events.map((_, index) => index);
  const ripe = all.filter((index) => events[index + 1]?.op === 'sync' && events[index]?.op !== 'sync');
  const pick = (from: readonly number[], count: number): number[] =>
    Array.from({ length: count }, (_, i) => from[Math.floor(((i + random()) * from.length) / count)]!);
  const atRipe = Math.floor(states * 0.7);
  return new Set([...pick(ripe, atRipe), ...pick(all, states - atRipe)]);
}

function checkRestored(restored: Restored, acknowledged: ReadonlySet<number>, durability: Durability): void {
  const { found, quarantined, manifests } = restored;
  for (const number of acknowledged) {
    assert.equal(found.get(number) ?? 0, 1, `acknowledged message ${number}`);
  }
  for (const [number, times] of found) assert.equal(times, 1, `message ${number}`);
  if (durability === 'commit') {
    const corrupt = quarantined.filter(({ state }) => state === 'corrupt');
    assert.deepEqual(corrupt, [], 'a power cut is no damage');
  }
  for (const { uncleanEnd, gaps } of manifests) {
    const told = gaps.some(({ reason }) => reason === 'unclean_end' || reason === 'corrupt');
    assert.equal(told, uncleanEnd);
  }
}

/** Lets recovery fail at several of its steps, each time starting over. */
async function interruptOften(root: string, random: () => number, encrypted: Encrypted): Promise<number> {
  let interrupted = 0;
  for (let turn = 0; turn < 3; turn++) {
    let left = Math.floor(random() * 40);
    const fs = quickFs(() => {
      if (left-- <= 0) throw Object.assign(new Error('killed'), { code: 'EIO' });
    });
    try {
      await restore(root, fs, encrypted);
    } catch {
      // Wherever it stopped, the next one must find its way.
      interrupted++;
    }
  }
  return interrupted;
}
