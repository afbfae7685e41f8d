import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../src/core/random.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { useAwsCredentials } from './aws-environment.js';
import type { CliProcess } from './cli.js';
import { findingsAtRest, sealedSegments, type SealedSegment } from './deletion-sync-findings.js';
import { parts, DeletionSyncWorld, type Window } from './deletion-sync-world.js';
import { startFaultyS3, type FaultyS3 } from './s3-fault-server/server.js';

/** Until then a segment is in flight nearly always. */
const BANDWIDTH = '150KB/s';
/** Then everything is compared. */
const KILLS_PER_ROUND = 12;
/** In a round that only adds kills of deletions. */
const FEW_KILLS = 4;
/** A deletion that kept something is run again, once sync has finished. */
const MOST_RUNS = 4;
/** Until a deletion has its plan, on a machine with other work. */
const PLAN_LIMIT_MS = 120_000;
const PLAN_POLL_MS = 2;
/** Aborts unfinished uploads of any age at once. */
const SWEEP = ['--stale-upload-age', '1ms', '--housekeeping-interval', '100ms'];

export interface DeletionSyncCampaignOptions {
  readonly kills: number;
  /** Same seed, same moments (as far as a machine repeats itself). */
  readonly seed: number;
  /** Default: a folder. */
  readonly store?: 'folder' | 's3';
  readonly onKill?: (done: number) => void;
}

export interface DeletionSyncCampaignResult {
  readonly syncKills: number;
  readonly deleteKills: number;
  /** Kills after a deletion had begun, by its journal, and before it had finished. */
  readonly interrupted: number;
  /** How often everything was compared. */
  readonly rounds: number;
  /** Rounds that left unfinished uploads, which sync then aborted. */
  readonly swept: number;
  readonly segments: number;
  readonly findings: readonly string[];
}

/**
 * Kills sync, which changes and encrypts segments, and `holdfast delete` with SIGKILL at random moments and starts them
 * again, until two deletions have finished; then everything that is left on the robot and in the store is compared with
 * what had to stay and what had to go. Then it begins again with the same recordings.
 */
export async function runDeletionSyncCampaign(
  options: DeletionSyncCampaignOptions,
): Promise<DeletionSyncCampaignResult> {
  const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-deletion-sync-'));
  let result: DeletionSyncCampaignResult | undefined;
  const s3 = options.store === 's3' ? await startFaultyS3({ minPartBytes: 1 }) : undefined;
  const restore = s3 && useAwsCredentials(s3);
  try {
    result = await new DeletionSyncCampaign(root, options, s3).run();
    return result;
  } finally {
    restore?.();
    await s3?.stop();
    if (result?.findings.length === 0) await fs.rm(root, { recursive: true, force: true });
    else console.log(`      kept ${root}`);
  }
}

class DeletionSyncCampaign {
  readonly #random: Random;
  readonly #world: DeletionSyncWorld;
  readonly #syncs = new Map<string, CliProcess>();
  readonly #counts = { syncKills: 0, deleteKills: 0, interrupted: 0, rounds: 0, swept: 0 };
  readonly #findings: string[] = [];
  readonly #root: string;
  readonly #options: DeletionSyncCampaignOptions;
  readonly #s3: FaultyS3 | undefined;
  /** Of a deletion: until it has its plan, and from then on. */
  #planMs = 0;
  #workMs = 0;

  constructor(root: string, options: DeletionSyncCampaignOptions, s3: FaultyS3 | undefined) {
    this.#root = root;
    this.#options = options;
    this.#s3 = s3;
    this.#random = new Random(options.seed);
    this.#world = new DeletionSyncWorld(join(root, 'work'), this.#random, s3);
  }

  get #kills(): number {
    return this.#counts.syncKills + this.#counts.deleteKills;
  }

  async run(): Promise<DeletionSyncCampaignResult> {
    const [work, kept] = [this.#world.root, join(this.#root, 'kept')];
    await this.#world.record(this.#random);
    await fs.rename(work, kept);
    let before: SealedSegment[] = [];
    try {
      while (this.#mustGoOn() && this.#findings.length === 0) {
        await fs.rm(work, { recursive: true, force: true });
        await fs.cp(kept, work, { recursive: true });
        this.#s3?.createBucket('fleet');
        before = await sealedSegments(this.#world);
        await this.#round(before);
      }
    } finally {
      await this.#endSyncs();
    }
    return { ...this.#counts, segments: before.length, findings: this.#findings };
  }

  /** A slow machine may kill few deletions while they work. */
  #mustGoOn(): boolean {
    const { kills } = this.#options;
    return this.#kills < kills || this.#counts.interrupted < kills / 5;
  }

  async #round(before: readonly SealedSegment[]): Promise<void> {
    const waiting = [...this.#world.windows];
    const kept: Window[] = [];
    // How much is sent before the first deletion differs from round to round.
    for (let early = Math.floor(this.#random.between(0, 5)); early > 0; early--) await this.#killSync();
    const left = Math.max(FEW_KILLS, this.#options.kills - this.#kills);
    const most = this.#kills + Math.min(KILLS_PER_ROUND, left);
    while (waiting.length > 0 && this.#kills < most) {
      const [window] = waiting as [Window];
      if (this.#random.unit() < 0.3) await this.#killSync();
      else {
        const ended = await this.#killDeletion(window);
        if (ended === 3) kept.push(window);
        else if (ended !== undefined && ended !== 0) throw new Error(`delete ended with ${ended}`);
        if (ended !== undefined) waiting.shift();
      }
    }
    await this.#endSyncs();
    await this.#finish([...waiting, ...kept]);
    this.#counts.rounds++;
    const { seed } = this.#options;
    const found = await findingsAtRest(this.#world, before);
    this.#findings.push(...found.map((text) => `seed ${seed}, after ${this.#kills} kills: ${text}`));
  }

  /** Starts what does not run, and kills one of the two after a random time. */
  async #killSync(): Promise<void> {
    await this.#startSyncs();
    await sleep(this.#random.between(50, 1_200));
    const { folder } = parts[this.#random.unit() < 0.6 ? 0 : 1]!;
    await this.#kill(folder);
  }

  async #startSyncs(): Promise<void> {
    for (const { folder } of parts) {
      if (this.#syncs.has(folder)) continue;
      const sync = this.#world.start(...this.#world.syncArgs(folder), '--bandwidth', BANDWIDTH);
      this.#syncs.set(folder, sync);
      await sync.waitFor(/syncing/);
    }
  }

  async #kill(folder: string): Promise<void> {
    const sync = this.#syncs.get(folder);
    if (sync === undefined) return;
    sync.child.kill('SIGKILL');
    await sync.ended;
    this.#syncs.delete(folder);
    this.#counted('syncKills');
  }

  async #endSyncs(): Promise<void> {
    for (const { child, ended } of this.#syncs.values()) {
      child.kill('SIGKILL');
      await ended;
    }
    this.#syncs.clear();
  }

  /** Resolves with its exit code if it ended before the kill. Sometimes a sync is killed while it runs. */
  async #killDeletion(window: Window): Promise<number | undefined> {
    if (this.#random.unit() < 0.7) await this.#startSyncs();
    const begun = performance.now();
    const { child, ended } = this.#world.start(...this.#world.deleteArgs(window));
    const state = { hasEnded: false };
    const end = ended.finally(() => (state.hasEnded = true));
    // Most kills come while it removes segments, however long this machine takes until then.
    const isEarly = this.#random.unit() < 0.25;
    const hasPlan = async (): Promise<boolean> => state.hasEnded || (await this.#hasJournal());
    if (!isEarly) await eventually(hasPlan, 'the deletion has its plan', PLAN_LIMIT_MS, PLAN_POLL_MS);
    const planned = performance.now();
    if (isEarly) await sleep(this.#planMs * this.#random.unit());
    else await sleep(this.#workMs * this.#random.unit());
    if (this.#random.unit() < 0.3) await this.#kill('changed');
    // The first one runs to its end, and tells how long one takes.
    if (this.#workMs > 0) child.kill('SIGKILL');
    const { signal, exitCode } = await end;
    if (signal !== null) {
      this.#counted('deleteKills');
      if (await this.#hasJournal()) this.#counts.interrupted++;
      return undefined;
    }
    if (this.#workMs === 0 && !isEarly) {
      this.#planMs = planned - begun;
      this.#workMs = performance.now() - planned;
    }
    return exitCode ?? undefined;
  }

  async #hasJournal(): Promise<boolean> {
    return (await fs.readdir(this.#world.at('out'))).some((name) => name.endsWith('.journal'));
  }

  #counted(what: 'syncKills' | 'deleteKills'): void {
    this.#counts[what]++;
    this.#options.onKill?.(this.#kills);
  }

  /** Deletions that were killed, or kept an unfinished upload, run until they keep nothing; then sync ends its work. */
  async #finish(left: readonly Window[]): Promise<void> {
    let windows = left;
    for (let runs = 0; windows.length > 0; runs++) {
      const again: Window[] = [];
      for (const window of windows) {
        const { exitCode, stdout, stderr } = await this.#world.run(...this.#world.deleteArgs(window));
        if (exitCode === 3 && runs < MOST_RUNS) again.push(window);
        else if (exitCode !== 0) throw new Error(`delete ended with ${exitCode}: ${stdout} ${stderr}`);
      }
      windows = again;
      // What a deletion left of a segment waits until the store has lost the whole one too.
      if (windows.length > 0) await this.#drain([0, 3]);
    }
    await this.#drain([0]);
    await this.#sweep();
  }

  /** Uploads of segments that were deleted meanwhile are aborted when they are old. */
  async #sweep(): Promise<void> {
    await using store = await this.#world.openStore();
    const isClean = async (): Promise<boolean> => {
      for await (const _upload of store.listUploads()) return false;
      return true;
    };
    if (await isClean()) return;
    this.#counts.swept++;
    const sync = this.#world.start(...this.#world.syncArgs('changed'), ...SWEEP);
    this.#syncs.set('changed', sync);
    await eventually(isClean, 'no unfinished upload is left');
    await this.#endSyncs();
  }

  async #drain(allowed: readonly number[]): Promise<void> {
    for (const { folder } of parts) {
      const args = [...this.#world.syncArgs(folder), '--drain', '--retry-parked'];
      const { exitCode, stdout, stderr } = await this.#world.run(...args);
      if (exitCode === null || !allowed.includes(exitCode))
        this.#findings.push(`${args.join(' ')} ended with ${exitCode}: ${stdout} ${stderr}`);
    }
  }
}
