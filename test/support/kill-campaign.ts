import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { decodeManifest } from '../../src/core/manifest.js';
import { storeReadable } from '../../src/app/reading/store-readable.js';
import { mainScript } from '../../src/app/system/main-script.js';
import { systemClock } from '../../src/app/system/system-clock.js';
import { openStore } from '../../src/stores/open-store.js';
import { payloadOf } from './numbered-message.js';

const CHANNELS = 4;
const RATE_PER_S = 1_600;

export interface CampaignOptions {
  /** Kills of recorder and sync together. */
  readonly kills: number;
  /** Same seed, same moments (as far as a machine repeats itself). */
  readonly seed: number;
  readonly onKill?: (done: number, role: 'recorder' | 'sync') => void;
}

/** What the store held in the end against what had been acknowledged. */
export interface CampaignResult {
  readonly recorderKills: number;
  readonly syncKills: number;
  readonly acknowledged: number;
  readonly stored: number;
  readonly missing: readonly string[];
  readonly duplicates: readonly string[];
  readonly altered: readonly string[];
  readonly objects: number;
}

/** A small generator of repeatable random numbers (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Kills recorder and sync with SIGKILL at random moments, again and again, then lets both finish and looks
 * up every acknowledged number in the store.
 */
export async function runKillCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-kills-'));
  const campaign = new Campaign(folder);
  try {
    return await campaign.run(options);
  } finally {
    await campaign.close();
    await rm(folder, { recursive: true, force: true });
  }
}

class Campaign {
  private readonly acknowledged = new Set<string>();
  private highest = 0;
  private recorder: ChildProcess | undefined;
  private sync: ChildProcess | undefined;
  private recorderOutput = Promise.resolve();
  private recorderReady = false;
  private errors = '';

  constructor(private readonly folder: string) {}

  async run({ kills, seed, onKill }: CampaignOptions): Promise<CampaignResult> {
    const random = randomFrom(seed);
    let recorderKills = 0;
    let syncKills = 0;
    await fs.mkdir(this.store);
    for (let done = 0; done < kills; done++) {
      this.recorder ??= this.startRecorder();
      this.sync ??= this.startSync();
      // From the first instants of a start (recovery) to several segments later.
      await systemClock.sleep(random() < 0.3 ? 150 + random() * 350 : 400 + random() * 1_400);
      const role = random() < 0.6 ? 'recorder' : 'sync';
      if (role === 'recorder') {
        await this.killRecorder();
        recorderKills++;
      } else {
        await this.killSync();
        syncKills++;
      }
      onKill?.(done + 1, role);
    }
    await this.finish();
    return { recorderKills, syncKills, ...(await this.compare()) };
  }

  async close(): Promise<void> {
    await this.killRecorder();
    await this.killSync();
  }

  private get data(): string {
    return join(this.folder, 'data');
  }

  private get store(): string {
    return join(this.folder, 'store');
  }

  private startRecorder(): ChildProcess {
    const script = fileURLToPath(new URL(`./ack-recorder${extname(import.meta.url)}`, import.meta.url));
    const args = [this.data, String(CHANNELS), String(this.highest + 1), String(RATE_PER_S)];
    const child = this.spawn(script, args);
    this.recorderReady = false;
    let rest = '';
    child.stdout?.on('data', (data: Buffer) => {
      const lines = (rest + data.toString('utf8')).split('\n');
      // A line cut by the kill was written for numbers that are durable, but was not heard whole.
      rest = lines.pop() ?? '';
      for (const line of lines) this.heard(line);
    });
    this.recorderOutput = once(child, 'close').then(() => undefined);
    return child;
  }

  private heard(line: string): void {
    const [word, channel, ...numbers] = line.split(' ');
    if (word === 'ready') this.recorderReady = true;
    if (word !== 'ack') return;
    for (const number of numbers) {
      this.acknowledged.add(`${channel}:${number}`);
      this.highest = Math.max(this.highest, Number(number));
    }
  }

  private startSync(drain = false): ChildProcess {
    return this.spawn(mainScript, [
      ...['sync', '--data', this.data, '--store', `dir:${this.store}`, '--log-level', 'error', '--json'],
      ...[
        '--part-bytes',
        '65536',
        '--poll-interval',
        '50ms',
        ...(drain ? ['--drain'] : ['--bandwidth', '3MB/s']),
      ],
    ]);
  }

  private spawn(script: string, args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr?.on(
      'data',
      (data: Buffer) => (this.errors = (this.errors + data.toString('utf8')).slice(-8_000)),
    );
    return child;
  }

  private async killRecorder(): Promise<void> {
    await kill(this.recorder);
    await this.recorderOutput;
    this.recorder = undefined;
    // Numbers that were sent and not acknowledged are never used again.
    this.highest += 100_000;
  }

  private async killSync(): Promise<void> {
    await kill(this.sync);
    this.sync = undefined;
  }

  /** One last life for each, ended as it should be. */
  private async finish(): Promise<void> {
    const recorder = (this.recorder ??= this.startRecorder());
    while (!this.recorderReady && recorder.exitCode === null) await systemClock.sleep(20);
    await systemClock.sleep(1_500);
    recorder.kill('SIGTERM');
    await this.ended(recorder, 'recorder');
    await this.recorderOutput;
    this.recorder = undefined;
    await this.killSync();
    await this.ended(this.startSync(true), 'sync --drain');
  }

  private async ended(child: ChildProcess, name: string): Promise<void> {
    const code = child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0];
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${this.errors}`);
  }

  private async compare(): Promise<Omit<CampaignResult, 'recorderKills' | 'syncKills'>> {
    const ports = { fileSystem: fs, clock: systemClock, random: randomBytes };
    await using store = await openStore(`dir:${this.store}`, {}, ports);
    const stored = new Set<string>();
    const duplicates: string[] = [];
    const altered: string[] = [];
    let objects = 0;
    for await (const { key } of store.list('')) {
      if (!key.endsWith('.json')) continue;
      const pieces: Uint8Array[] = [];
      for await (const piece of store.read(key)) pieces.push(piece);
      const manifest = decodeManifest(Buffer.concat(pieces).toString('utf8'), key);
      const reader = await openMcap(storeReadable(store, manifest.key, manifest.file.bytes), manifest.key);
      objects++;
      for await (const { channel, sequence, data } of reader.messages()) {
        const index = Number(/(\d+)$/.exec(channel.topic)?.[1]);
        const name = `${index}:${sequence}`;
        if (stored.has(name)) duplicates.push(name);
        stored.add(name);
        if (!payloadOf(index, sequence).equals(data)) altered.push(name);
      }
    }
    const missing = [...this.acknowledged].filter((name) => !stored.has(name));
    return {
      acknowledged: this.acknowledged.size,
      stored: stored.size,
      missing,
      duplicates,
      altered,
      objects,
    };
  }
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
