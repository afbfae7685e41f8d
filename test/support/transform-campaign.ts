import * as fs from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { Random } from '../../src/core/random.js';
import { decodeManifest } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { dataFolder } from '../../src/core/data-folder.js';
import { scratchFolder } from '../../src/sync/segment-sender.js';
import { keyedHash } from '../../src/jobs/transform/message-transform.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { runCli, spawnCli } from './cli.js';
import { testIdentityText, testRecipientText } from './encrypted-segments.js';
import { BufferWritable } from './test-mcap.js';

/** In every message of `/driver` and `/inside`; no byte of it may leave. */
const SECRET = 'Ann Example of Private Road';
/** In every message that is sent. */
const READABLE = '"pad":"';
const HASH_KEY = 'the key of this test fleet';
const PAD_BYTES = 1_500;
const SEGMENT_BYTES = 64 * 1024;
const FIRST_NS = 1_795_852_800_000_000_000n;

/** Passes messages on, slowly, so that kills hit it at work. */
const PROGRAM = `
import struct, sys, time
source, target = sys.stdin.buffer, sys.stdout.buffer
def text(value): return struct.pack("<I", len(value)) + value
def write(kind, body=b""): target.write(struct.pack("<IB", len(body) + 1, kind) + body)
count = 0
while True:
    head = source.read(5)
    if not head: break
    size, kind = struct.unpack("<IB", head)
    body = source.read(size - 1)
    if kind == 1: write(1, struct.pack("<H", 1) + text(b"slow") + text(b"1"))
    elif kind == 3:
        count += 1
        time.sleep(0.005)
        write(3, body[:2] + body[18:])
        write(4)
    elif kind == 5: write(5, struct.pack("<QQ", count, count))
    target.flush()
`;

export interface TransformCampaignOptions {
  readonly kills: number;
  /** Same seed, same moments (as far as a machine repeats itself). */
  readonly seed: number;
  /** Segments that are sealed before the first kill, about. Default: 32. */
  readonly segments?: number;
  /** Sync encrypts what it sends: nothing that leaves is readable. Default: false. */
  readonly encrypted?: boolean;
  readonly onKill?: (done: number) => void;
}

/** What the store has finally, and what was found wrong after any kill. */
export interface TransformCampaignResult {
  readonly messages: number;
  readonly segments: number;
  /** Segments that were in the store before the last life of sync. */
  readonly early: number;
  readonly missing: readonly string[];
  readonly duplicates: readonly string[];
  /** Messages with other content than the rules give. */
  readonly altered: readonly string[];
  /** Files that left and hold a secret. */
  readonly secrets: readonly string[];
  /** Objects that a manifest names and that are not there as it says, and files that nothing will use. */
  readonly halves: readonly string[];
}

/**
 * Seals segments, and kills the process that changes and sends them with SIGKILL at random moments. After the last kill it
 * finishes. After each kill, and then, everything that has left is looked at.
 */
export async function runTransformCampaign(
  options: TransformCampaignOptions,
): Promise<TransformCampaignResult> {
  const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-transform-kills-'));
  let isGood = false;
  try {
    const result = await new TransformCampaign(folder, options.encrypted ?? false).run(options);
    const { missing, duplicates, altered, secrets, halves } = result;
    isGood = [missing, duplicates, altered, secrets, halves].every((list) => list.length === 0);
    return result;
  } finally {
    if (isGood) await fs.rm(folder, { recursive: true, force: true });
    else console.log(`      kept ${folder}`);
  }
}

class TransformCampaign {
  readonly #folder: string;
  readonly #secrets = new Set<string>();
  readonly #halves = new Set<string>();
  readonly #isEncrypted: boolean;

  constructor(folder: string, isEncrypted: boolean) {
    this.#folder = folder;
    this.#isEncrypted = isEncrypted;
  }

  async run({
    kills,
    seed,
    segments = 32,
    onKill,
  }: TransformCampaignOptions): Promise<TransformCampaignResult> {
    const messages = Math.ceil((segments * SEGMENT_BYTES) / (PAD_BYTES + 100) / 3);
    await this.#record(messages);
    const random = new Random(seed);
    const args = this.#syncArgs();
    let early = 0;
    for (let done = 0; done < kills; done++) {
      const sync = spawnCli([...args, '--bandwidth', '100KB/s']);
      await sync.waitFor(/syncing/);
      // Half of the kills come after a segment was sent, however long this machine takes for one.
      const before = early;
      if (done % 2 === 1) await eventually(async () => (await this.#look()) > before, 'a segment is sent');
      await sleep(100 + random.unit() * 1_400);
      sync.child.kill('SIGKILL');
      await sync.ended;
      early = await this.#look();
      onKill?.(done + 1);
    }
    const last = await runCli([...args, '--drain', '--json']);
    if (last.exitCode !== 0) throw new Error(`sync --drain ended with ${last.exitCode}: ${last.stderr}`);
    const stored = await this.#look();
    await this.#lookAtRest();
    const verified = await runCli(['verify', '--store', `dir:${this.#at('store')}`, '--json']);
    if (verified.exitCode !== 0) this.#halves.add(`verify: ${verified.stdout}`);
    const found = await this.#compare(messages);
    return {
      messages,
      segments: stored,
      early,
      ...found,
      secrets: [...this.#secrets],
      halves: [...this.#halves],
    };
  }

  #at(...names: string[]): string {
    return join(this.#folder, ...names);
  }

  /** The same number on each of three topics. */
  async #record(messages: number): Promise<void> {
    const out = new BufferWritable();
    const writer = new McapWriter({ writable: out, chunkSize: SEGMENT_BYTES });
    await writer.start({ profile: '', library: 'test' });
    const ids = new Map<string, number>();
    for (const topic of ['/driver', '/speed', '/inside']) {
      const channel = { schemaId: 0, topic, messageEncoding: 'json', metadata: new Map() };
      ids.set(topic, await writer.registerChannel(channel));
    }
    for (let number = 0; number < messages; number++) {
      for (const [topic, channelId] of ids) {
        const time = FIRST_NS + BigInt(number) * 1_000_000n;
        const data = Buffer.from(JSON.stringify(messageOf(topic, number)));
        await writer.addMessage({ channelId, sequence: number, logTime: time, publishTime: time, data });
      }
    }
    await writer.end();
    await fs.writeFile(this.#at('in.mcap'), out.bytes());
    await fs.writeFile(this.#at('hash.key'), HASH_KEY);
    await fs.writeFile(this.#at('identity.key'), testIdentityText, { mode: 0o600 });
    await fs.writeFile(this.#at('slow.py'), PROGRAM);
    await fs.mkdir(this.#at('store'));
    const source = ['--source', `mcap:${this.#at('in.mcap')}`, '--data', this.#at('data')];
    const run = await runCli(['record', ...source, '--segment-max-bytes', '64KiB', '--robot', 'r1']);
    if (run.exitCode !== 0) throw new Error(run.stderr);
    await fs.rm(this.#at('in.mcap'));
  }

  #syncArgs(): string[] {
    const rules = ['/driver hash=name', `/speed exec python3 ${this.#at('slow.py')}`, '/inside drop'];
    return [
      ...['sync', '--data', this.#at('data'), '--store', `dir:${this.#at('store')}`],
      ...rules.flatMap((rule) => ['--transform', rule]),
      ...['--hash-key', this.#at('hash.key'), '--poll-interval', '50ms', '--part-bytes', '65536'],
      ...(this.#isEncrypted ? ['--recipient', testRecipientText] : []),
    ];
  }

  /** Everything that has left so far. Returns how many segments are whole. */
  async #look(): Promise<number> {
    let whole = 0;
    for (const name of await fs.readdir(this.#at('store'), { recursive: true })) {
      const bytes = await fs.readFile(this.#at('store', name)).catch(() => undefined);
      if (!bytes) continue;
      if (bytes.includes(SECRET)) this.#secrets.add(name);
      if (!name.startsWith('robot=') || !name.endsWith('.json')) continue;
      const { key, file, derived, encryption } = decodeManifest(bytes.toString(), name);
      const object = await fs.readFile(this.#at('store', key)).catch(() => Buffer.alloc(0));
      const isWhole = object.length === file.bytes && sha256(object) === file.sha256;
      if (this.#isEncrypted && (encryption === undefined || object.includes(READABLE)))
        this.#secrets.add(`${key} is readable`);
      if (!isWhole || !derived) this.#halves.add(`${key} is not what its manifest says`);
      whole++;
    }
    return whole;
  }

  /** Nothing is left of interrupted work once sync has finished, and no program of a killed sync runs. */
  async #lookAtRest(): Promise<void> {
    const folder = dataFolder(this.#at('data'));
    const scratch = await fs.readdir(scratchFolder(folder)).catch(() => []);
    for (const name of scratch) this.#halves.add(`${name} is left in the scratch folder`);
    const names = new Set(await fs.readdir(folder.transformed));
    for (const name of names) {
      const pair = name.endsWith('.json') ? name.replace(/json$/, 'mcap') : name.replace(/mcap$/, 'json');
      if (!names.has(pair)) this.#halves.add(`${name} is left in transformed/ without ${pair}`);
    }
    for (const name of [...names].filter((one) => one.endsWith('.json'))) {
      const text = await fs.readFile(join(folder.transformed, name), 'utf8');
      const copy = await fs.readFile(join(folder.transformed, name.replace(/json$/, 'mcap')));
      if (sha256(copy) !== decodeManifest(text, name).file.sha256) this.#halves.add(`${name} is damaged`);
    }
    await eventually(() => !processes().includes(this.#at('slow.py')), 'programs of killed processes end');
  }

  async #compare(
    messages: number,
  ): Promise<Pick<TransformCampaignResult, 'missing' | 'duplicates' | 'altered'>> {
    const identity = this.#isEncrypted ? ['--identity', this.#at('identity.key')] : [];
    const cat = await runCli(['cat', `dir:${this.#at('store')}`, '--json', ...identity]);
    if (cat.stdout.includes(SECRET)) this.#secrets.add('the messages of the store');
    const seen = new Set<string>();
    const duplicates: string[] = [];
    const altered: string[] = [];
    const hash = keyedHash(Buffer.from(HASH_KEY));
    for (const line of cat.stdout.split('\n').filter((one) => one.startsWith('{"'))) {
      const found = JSON.parse(line) as { topic?: string; data?: ReturnType<typeof messageOf> };
      if (found.topic === undefined) continue;
      const { topic, data: message } = found;
      const name = `${topic} ${message?.n}`;
      if (seen.has(name)) duplicates.push(name);
      seen.add(name);
      const wanted = messageOf(topic, present(message).n);
      const hashed = topic === '/driver' ? { ...wanted, name: hash(Buffer.from(wanted.name)) } : wanted;
      if (topic === '/inside' || JSON.stringify(message) !== JSON.stringify(hashed)) altered.push(name);
    }
    const missing = ['/driver', '/speed']
      .flatMap((topic) => Array.from({ length: messages }, (_, number) => `${topic} ${number}`))
      .filter((name) => !seen.has(name));
    return { missing, duplicates, altered };
  }
}

/** Random digits do not compress. */
function messageOf(topic: string, number: number): { n: number; name: string; pad: string } {
  let pad = '';
  for (let at = 0; pad.length < PAD_BYTES; at++) pad += sha256(Buffer.from(`${topic} ${number} ${at}`));
  return { n: number, name: topic === '/speed' ? 'fast' : `${SECRET} ${number}`, pad };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function processes(): string {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
}
