import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../../src/core/present.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { decodeManifest } from '../../src/core/manifest.js';
import { storeReadable } from '../../src/recordings/store-readable.js';
import { mainScript } from '../../src/app/setup/main-script.js';
import { systemClock } from '../../src/host/system-clock.js';
import { openStore } from '../../src/stores/open-store.js';
import { encodeKey } from '../../src/encryption/key-text.js';
import { openedSegment, testRecipientText, testWalKeys } from './encrypted-segments.js';
import { payloadOf } from './numbered-message.js';
import { LyingS3 } from './s3-attacks.js';
import { AttackedFolder, heldMessages, type AttackedStore } from './store-attacks.js';
import { eventually } from '../../src/testing/waiting.js';
import { Random } from '../../src/core/random.js';
import { endChild } from './end-child.js';

const CHANNELS = 4;
const RATE_PER_S = 1_600;
/** Beside attacks on the store: so few that even a busy machine seals, sends and evicts them. */
const ATTACKED_RATE_PER_S = 48;
/** Three segments: retention must evict all the time. */
const QUOTA_BYTES = 1024 * 1024;
/** An answer of the store that is older counts no more; as in ack-recorder. */
const ANSWER_MAX_AGE_MS = 2_000;
/** Before a kill, something is waited for this long; it does not happen while the store is away. */
const PATIENCE_MS = 4_000;
/** A machine that is busy starts two processes and uses a new store in this time. */
const START_MS = 120_000;

export interface CampaignOptions {
  /** Kills of recorder and sync together. */
  readonly kills: number;
  /** Same seed, same moments (as far as a machine repeats itself). */
  readonly seed: number;
  readonly onKill?: (done: number, role: 'recorder' | 'sync') => void;
  /**
   * Retention evicts and sync scrubs. A `folder` as a store is swapped, copied, set back, damaged and unmounted; `s3`
   * lies about what it has, and loses it.
   */
  readonly attack?: 'folder' | 's3';
  /** After so many kills the store is attacked. Default: 2. */
  readonly killsPerAttack?: number;
  /** Large payloads are written in place. Default: false. */
  readonly inPlace?: boolean;
  /** Segments are encrypted when they are sealed. Default: false. */
  readonly encrypted?: boolean;
  /** The WAL is encrypted too; not with `inPlace`. Default: false. */
  readonly atRest?: boolean;
}

/** What the store held finally against what had been acknowledged. */
export interface CampaignResult {
  readonly recorderKills: number;
  readonly syncKills: number;
  readonly acknowledged: number;
  readonly stored: number;
  readonly missing: readonly string[];
  readonly duplicates: readonly string[];
  readonly altered: readonly string[];
  readonly objects: number;
  /** What was done to stores, and how often. */
  readonly attacks: Readonly<Record<string, number>>;
  /** Segments that are no longer in the data folder. */
  readonly evicted: number;
}

/**
 * Kills recorder and sync with SIGKILL at random moments, again and again, then lets both finish and looks
 * up every acknowledged number in the store.
 */
export async function runKillCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-kills-'));
  const sealed = join(folder, 'data', 'sealed');
  await using attacked =
    options.attack === 's3'
      ? await LyingS3.start(folder, sealed, options.seed)
      : options.attack && new AttackedFolder(folder, sealed);
  const campaign = new Campaign(folder, attacked, options);
  let isGood = false;
  try {
    const result = await campaign.run(options);
    isGood = result.missing.length + result.duplicates.length + result.altered.length === 0;
    return result;
  } finally {
    await campaign.close();
    // Of a failure everything is kept: its cause is in the stores, the shelves and the data folder.
    if (isGood) await rm(folder, { recursive: true, force: true });
    else console.log(`      kept ${folder}`);
  }
}

class Campaign {
  readonly #acknowledged = new Set<string>();
  #highest = 0;
  #recorder: ChildProcess | undefined;
  #sync: ChildProcess | undefined;
  #recorderOutput = Promise.resolve();
  #recorderReady = false;
  #errors = '';

  readonly #folder: string;
  readonly #attacked: AttackedStore | undefined;
  readonly #inPlace: boolean;
  readonly #encrypted: boolean;
  readonly #atRest: boolean;

  constructor(
    folder: string,
    attacked: AttackedStore | undefined,
    { inPlace = false, encrypted = false, atRest = false }: CampaignOptions,
  ) {
    this.#folder = folder;
    this.#attacked = attacked;
    this.#inPlace = inPlace;
    this.#encrypted = encrypted || atRest;
    this.#atRest = atRest;
  }

  async run({ kills, seed, onKill, killsPerAttack = 2 }: CampaignOptions): Promise<CampaignResult> {
    const generator = new Random(seed);
    const random = (): number => generator.unit();
    let recorderKills = 0;
    let syncKills = 0;
    await fs.mkdir(this.#store);
    const [key] = testWalKeys;
    if (this.#atRest && key) await fs.writeFile(this.#keyFile, encodeKey('symmetric', key));
    for (let done = 0; done < kills; done++) {
      this.#recorder ??= this.#startRecorder();
      this.#sync ??= this.#startSync();
      // From the first instants of a start (recovery) to several segments later.
      const isEarly = random() < 0.3;
      if (this.#attacked && (done === 0 || !isEarly)) await this.#eviction(done === 0);
      await systemClock.sleep(isEarly ? 150 + random() * 350 : 400 + random() * 1_400);
      const role = random() < 0.6 ? 'recorder' : 'sync';
      if (role === 'recorder') {
        await this.#killRecorder();
        recorderKills++;
      } else {
        await this.#killSync();
        syncKills++;
      }
      onKill?.(done + 1, role);
      if (this.#attacked && (done + 1) % killsPerAttack === 0) await this.#attack(this.#attacked, random);
    }
    await this.#attacked?.settle();
    await this.#finish();
    const found = this.#attacked ? await this.#compareAll(this.#attacked) : await this.#compare();
    return { recorderKills, syncKills, ...found };
  }

  /**
   * Waits until a segment is evicted, which takes both processes and the store. On a machine too busy to start them
   * in time, a campaign that goes by the clock would attack a store that nobody uses, and evict nothing.
   */
  async #eviction(isFirst: boolean): Promise<void> {
    const before = await this.#evicted();
    const deadline = performance.now() + (isFirst ? START_MS : PATIENCE_MS);
    while (performance.now() < deadline) {
      const isUsed = !isFirst || (await present(this.#attacked).isUsed());
      if (isUsed && (await this.#evicted()) > before) return;
      await systemClock.sleep(20);
    }
    if (isFirst) throw new Error(`nothing was evicted in ${START_MS} ms: ${this.#errors}`);
  }

  async #evicted(): Promise<number> {
    const list = (name: string): Promise<string[]> => fs.readdir(join(this.#data, name)).catch(() => []);
    const [sealed, receipts] = await Promise.all([list('sealed'), list('receipts')]);
    const here = new Set(sealed);
    return receipts.filter((name) => name.endsWith('.json') && !here.has(name)).length;
  }

  /** Nobody uses the store meanwhile, and the answers on record are too old afterwards. */
  async #attack(attacked: AttackedStore, random: () => number): Promise<void> {
    await this.#killRecorder();
    await this.#killSync();
    await attacked.attack(random);
    await systemClock.sleep(ANSWER_MAX_AGE_MS + 100);
  }

  async #compareAll(attacked: AttackedStore): Promise<Omit<CampaignResult, 'recorderKills' | 'syncKills'>> {
    const nameOf = (topic: string, sequence: number): string => `${/(\d+)$/.exec(topic)?.[1]}:${sequence}`;
    const sealed = join(this.#data, 'sealed');
    const held = await heldMessages([...(await attacked.places()), sealed], nameOf);
    return {
      acknowledged: this.#acknowledged.size,
      stored: held.size,
      missing: [...this.#acknowledged].filter((name) => !held.has(name)),
      duplicates: [],
      altered: [],
      objects: (await fs.readdir(sealed)).length,
      attacks: attacked.counts,
      evicted: await this.#evicted(),
    };
  }

  async close(): Promise<void> {
    await this.#killRecorder();
    await this.#killSync();
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  get #keyFile(): string {
    return join(this.#folder, 'wal.key');
  }

  get #store(): string {
    return join(this.#folder, 'store');
  }

  #startRecorder(): ChildProcess {
    const script = fileURLToPath(new URL(`./ack-recorder${extname(import.meta.url)}`, import.meta.url));
    const [rate, quota] = this.#attacked ? [ATTACKED_RATE_PER_S, QUOTA_BYTES] : [RATE_PER_S, 0];
    const numbers = [CHANNELS, this.#highest + 1, rate, quota];
    const recipient = this.#encrypted ? [testRecipientText] : [];
    const keyFile = this.#atRest ? [this.#keyFile] : [];
    const how = [this.#inPlace ? 'always' : 'never', ...recipient, ...keyFile];
    const args = [this.#data, ...numbers.map(String), ...how];
    const child = this.#spawn(script, args);
    this.#recorderReady = false;
    let rest = '';
    child.stdout?.on('data', (data: Buffer) => {
      const lines = (rest + data.toString('utf8')).split('\n');
      // A line cut by the kill was written for numbers that are durable, but was not heard whole.
      rest = lines.pop() ?? '';
      for (const line of lines) this.#heard(line);
    });
    this.#recorderOutput = once(child, 'close').then(() => undefined);
    return child;
  }

  #heard(line: string): void {
    const [word, channel, ...numbers] = line.split(' ');
    if (word === 'ready') this.#recorderReady = true;
    if (word !== 'ack') return;
    for (const number of numbers) {
      this.#acknowledged.add(`${channel}:${number}`);
      this.#highest = Math.max(this.#highest, Number(number));
    }
  }

  #startSync(drain = false): ChildProcess {
    return this.#spawn(mainScript, [
      ...[
        'sync',
        '--data',
        this.#data,
        '--store',
        this.#attacked?.uri ?? `dir:${this.#store}`,
        '--log-level',
        'error',
        '--json',
      ],
      ...[
        '--part-bytes',
        '65536',
        '--poll-interval',
        '50ms',
        ...(drain ? ['--drain'] : ['--bandwidth', '3MB/s']),
        ...(this.#attacked ? ['--accept-new-store', '--scrub-per-hour', '360000'] : []),
      ],
    ]);
  }

  #spawn(script: string, args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#attacked?.environment },
    });
    child.stderr.on(
      'data',
      (data: Buffer) => (this.#errors = (this.#errors + data.toString('utf8')).slice(-8_000)),
    );
    return child;
  }

  async #killRecorder(): Promise<void> {
    await endChild(this.#recorder);
    await this.#recorderOutput;
    this.#recorder = undefined;
    // Numbers that were sent and not acknowledged are never used again.
    this.#highest += 100_000;
  }

  async #killSync(): Promise<void> {
    await endChild(this.#sync);
    this.#sync = undefined;
  }

  /** One last life for each, ended as it should be. */
  async #finish(): Promise<void> {
    const recorder = (this.#recorder ??= this.#startRecorder());
    await eventually(() => this.#recorderReady || recorder.exitCode !== null);
    await systemClock.sleep(1_500);
    recorder.kill('SIGTERM');
    await this.#ended(recorder, 'recorder');
    await this.#recorderOutput;
    this.#recorder = undefined;
    await this.#killSync();
    await this.#ended(this.#startSync(true), 'sync --drain');
  }

  async #ended(child: ChildProcess, name: string): Promise<void> {
    const code = child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0];
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${this.#errors}`);
  }

  async #compare(): Promise<Omit<CampaignResult, 'recorderKills' | 'syncKills'>> {
    const ports = { fileSystem: fs, clock: systemClock, random: randomBytes };
    await using store = await openStore(`dir:${this.#store}`, {}, ports);
    const stored = new Set<string>();
    const duplicates: string[] = [];
    const altered: string[] = [];
    let objects = 0;
    for await (const { key } of store.list('')) {
      if (!key.endsWith('.json')) continue;
      const pieces: Uint8Array[] = [];
      for await (const piece of store.read(key)) pieces.push(piece);
      const manifest = decodeManifest(Buffer.concat(pieces).toString('utf8'), key);
      if (this.#encrypted && !manifest.encryption) altered.push(`${key} is not encrypted`);
      const object = storeReadable(store, manifest.key, manifest.file.bytes);
      const reader = await openMcap(openedSegment(object, manifest, key), manifest.key);
      objects++;
      for await (const { channel, sequence, data } of reader.messages()) {
        const index = Number(/(\d+)$/.exec(channel.topic)?.[1]);
        const name = `${index}:${sequence}`;
        if (stored.has(name)) duplicates.push(name);
        stored.add(name);
        if (!payloadOf(index, sequence).equals(data)) altered.push(name);
      }
    }
    const missing = [...this.#acknowledged].filter((name) => !stored.has(name));
    return {
      acknowledged: this.#acknowledged.size,
      stored: stored.size,
      missing,
      duplicates,
      altered,
      objects,
      attacks: {},
      evicted: 0,
    };
  }
}
