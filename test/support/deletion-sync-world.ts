import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import type { Random } from '../../src/core/random.js';
import type { Store } from '../../src/core/store.js';
import { encodeKey } from '../../src/encryption/key-text.js';
import { systemClock } from '../../src/host/system-clock.js';
import { keyedHash } from '../../src/jobs/transform/message-transform.js';
import { openStore } from '../../src/stores/open-store.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { awsEnvironment } from './aws-environment.js';
import { runCli, spawnCli, type CliProcess, type CliRun } from './cli.js';
import { testIdentityText, testRecipientText, testWalKeys } from './encrypted-segments.js';
import type { FaultyS3 } from './s3-fault-server/server.js';
import { BufferWritable } from './test-mcap.js';

/** In every message on `/driver`; no byte of it may leave the robot. */
export const SECRET = 'Ann Example of Private Road';
/** In every message that a deletion names. */
export const MARKER = 'to be deleted: ';
/** Numbers of messages in each of the two data folders: those of the second follow on those of the first. */
const NUMBERS = 400;
const PAD_BYTES = 1_500;
const FIRST_NS = 1_795_852_800_000_000_000n;
const STEP_NS = 2_000_000n;
const HASH_KEY = 'the key of this test fleet';
/** More than the start of a segment with its channels. */
const WAL_BYTES = 60_000;

/** Numbers of messages, inclusive. */
export interface Window {
  readonly first: number;
  readonly last: number;
}

/** A message as it was recorded. */
export interface Recorded {
  readonly n: number;
  readonly name: string;
  readonly pad: string;
}

/** A data folder of the robot: its topics, and how it is recorded and sent. */
interface Part {
  readonly folder: 'changed' | 'sealed';
  readonly topics: readonly string[];
  readonly from: number;
}

/** Rules cannot be applied to what was encrypted when it was sealed, so each has a folder of its own. */
export const parts: readonly Part[] = [
  { folder: 'changed', topics: ['/driver', '/speed'], from: 0 },
  { folder: 'sealed', topics: ['/speed', '/load'], from: NUMBERS },
];

/**
 * One robot with two data folders and a store. Segments of `changed` are readable on the robot, and sync hashes a field
 * and encrypts them. The recorder of `sealed` has a key at rest and recipients, so nothing of it is ever readable.
 */
export class DeletionSyncWorld {
  readonly uri: string;
  readonly windows: readonly Window[];
  readonly #env: NodeJS.ProcessEnv;

  constructor(
    readonly root: string,
    random: Random,
    s3?: FaultyS3,
  ) {
    this.uri = s3 ? `s3://fleet/rec?endpoint=${s3.endpoint}` : `dir:${join(root, 'store')}`;
    this.#env = { TMPDIR: this.at('tmp'), ...(s3 && awsEnvironment(s3)) };
    const between = (low: number, high: number): number => Math.floor(random.between(low, high));
    // The second one takes the end of one folder and the beginning of the other, and may meet the first.
    const first = between(30, 180);
    this.windows = [
      { first, last: first + between(30, 200) },
      { first: between(300, 390), last: between(430, 700) },
    ];
  }

  at(...names: string[]): string {
    return join(this.root, ...names);
  }

  start(...args: string[]): CliProcess {
    return spawnCli(args, { env: this.#env });
  }

  run(...args: string[]): Promise<CliRun> {
    return runCli(args, { env: this.#env });
  }

  async ok(...args: string[]): Promise<CliRun> {
    const run = await this.run(...args);
    if (run.exitCode === 0) return run;
    throw new Error(`${args.join(' ')} ended with ${run.exitCode}: ${run.stdout} ${run.stderr}`);
  }

  openStore(): Promise<Store> {
    return openStore(this.uri, {}, { fileSystem: fs, clock: systemClock, random: randomBytes });
  }

  isDeleted(number: number): boolean {
    return this.windows.some(({ first, last }) => number >= first && number <= last);
  }

  recorded(topic: string, number: number): Recorded {
    const start = this.isDeleted(number) ? MARKER : '';
    let pad = start;
    for (let at = 0; pad.length < PAD_BYTES; at++)
      pad += createHash('sha256').update(`${topic} ${number} ${at}`).digest('hex');
    return { n: number, name: topic === '/driver' ? `${SECRET} ${number}` : 'fast', pad };
  }

  /** As it leaves the robot. */
  sent(topic: string, number: number): Recorded {
    const message = this.recorded(topic, number);
    const hash = keyedHash(Buffer.from(HASH_KEY));
    return topic === '/driver' ? { ...message, name: hash(Buffer.from(message.name)) } : message;
  }

  /** Topics and numbers of what stays, as text. */
  staying(only: readonly Part[] = parts): string[] {
    return only
      .flatMap((part) => allOf(part))
      .flatMap(([topic, number]) => (this.isDeleted(number) ? [] : [`${topic} ${number}`]));
  }

  /** Records both folders; the recorder with a key at rest is killed at work and recovers. */
  async record(random: Random): Promise<void> {
    for (const name of ['tmp', 'out', 'store']) await fs.mkdir(this.at(name), { recursive: true });
    const [walKey = new Uint8Array()] = testWalKeys;
    await fs.writeFile(this.at('wal.key'), encodeKey('symmetric', walKey), { mode: 0o600 });
    await fs.writeFile(this.at('identity.key'), testIdentityText, { mode: 0o600 });
    await fs.writeFile(this.at('hash.key'), HASH_KEY);
    await this.ok('keygen', '--signing', '--out', this.at('delete.key'));
    const [changed, sealed] = parts as readonly [Part, Part];
    await this.#write(allOf(changed));
    await this.ok(...this.#recordArgs('changed', ''));
    const keys = ['--encrypt-for', testRecipientText, '--at-rest-key', this.at('wal.key')];
    await this.#write(allOf(sealed));
    const recorder = this.start(...this.#recordArgs('sealed', '?speed=1x'), ...keys);
    await eventually(async () => (await sizeOf(this.at('sealed', 'wal'))) > WAL_BYTES, 'a WAL');
    await sleep(300 * random.unit());
    recorder.child.kill('SIGKILL');
    await recorder.ended;
    // Recovers what was recorded, and seals it.
    await this.#write([]);
    await this.ok(...this.#recordArgs('sealed', ''), ...keys);
    const known = new Set((await this.messages(this.at('sealed'))).map(([topic, { n }]) => `${topic} ${n}`));
    await this.#write(allOf(sealed).filter(([topic, number]) => !known.has(`${topic} ${number}`)));
    await this.ok(...this.#recordArgs('sealed', ''), ...keys);
    await fs.rm(this.at('in.mcap'));
  }

  #recordArgs(folder: Part['folder'], query: string): string[] {
    const source = ['--source', `mcap:${this.at('in.mcap')}${query}`, '--robot', 'r1'];
    return ['record', ...source, '--data', this.at(folder), '--segment-max-bytes', '64KiB'];
  }

  async #write(messages: readonly (readonly [topic: string, number: number])[]): Promise<void> {
    const out = new BufferWritable();
    const writer = new McapWriter({ writable: out, chunkSize: 16 * 1024 });
    await writer.start({ profile: '', library: 'test' });
    const ids = new Map<string, number>();
    for (const [topic, number] of messages) {
      const channel = { schemaId: 0, topic, messageEncoding: 'json', metadata: new Map<string, string>() };
      const channelId = ids.get(topic) ?? (await writer.registerChannel(channel));
      ids.set(topic, channelId);
      const logTime = timeOf(number);
      const data = Buffer.from(JSON.stringify(this.recorded(topic, number)));
      await writer.addMessage({ channelId, sequence: number, logTime, publishTime: logTime, data });
    }
    await writer.end();
    await fs.writeFile(this.at('in.mcap'), out.bytes());
  }

  syncArgs(folder: Part['folder']): string[] {
    const rules = ['--transform', '/driver hash=name', '--hash-key', this.at('hash.key')];
    return [
      ...['sync', '--data', this.at(folder), '--store', this.uri],
      ...['--poll-interval', '50ms', '--part-bytes', '16384'],
      ...(folder === 'changed' ? [...rules, '--recipient', testRecipientText] : []),
    ];
  }

  deleteArgs({ first, last }: Window): string[] {
    return [
      ...['delete', '--data', this.at('changed'), this.at('sealed'), '--store', this.uri, '--robot', 'r1'],
      ...['--from', String(timeOf(first)), '--to', String(timeOf(last)), '--yes', '--reason', 'campaign'],
      ...['--sign-key', this.at('delete.key'), '--identity', this.at('identity.key')],
      ...['--out', this.at('out')],
    ];
  }

  /** The messages of a data folder or store that its readers see, with their topics. */
  async messages(where: string): Promise<[topic: string, message: Recorded][]> {
    const { stdout } = await this.ok(
      'cat',
      where,
      '--no-cache',
      '--json',
      '--identity',
      this.at('identity.key'),
    );
    return stdout.split('\n').flatMap((line) => {
      if (!line.startsWith('{"')) return [];
      const { topic, data } = JSON.parse(line) as { readonly topic?: string; readonly data?: Recorded };
      return topic === undefined || data === undefined ? [] : [[topic, data]];
    });
  }
}

function timeOf(number: number): bigint {
  return FIRST_NS + BigInt(number) * STEP_NS;
}

function allOf({ topics, from }: Part): [topic: string, number: number][] {
  const numbers = Array.from({ length: NUMBERS }, (_, at) => from + at);
  return numbers.flatMap((number) => topics.map((topic): [string, number] => [topic, number]));
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await fs.readdir(folder, { recursive: true }).catch(() => []);
  const sizes = entries.map(async (name) => (await fs.stat(join(folder, name)).catch(() => undefined))?.size);
  return (await Promise.all(sizes)).reduce<number>((sum, size) => sum + (size ?? 0), 0);
}
