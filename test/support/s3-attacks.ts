import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { awsEnvironment } from './aws-environment.js';
import type { FaultRule } from './s3-fault-server/fault-script.js';
import { startFaultyS3, type FaultyS3 } from './s3-fault-server/server.js';
import { isHere, LOST_MAX, type AttackedStore } from './store-attacks.js';

/** In turn. */
const attacks = [
  'old list',
  'lose objects',
  'old head',
  'another object under the key',
  'unreachable',
  'lose objects',
] as const;

const BUCKET = 'fleet';
const key = /\.(mcap|json)$/;
/** What is said while sync works; objects are lost and exchanged while nobody does. */
const lies: Readonly<Partial<Record<(typeof attacks)[number], FaultRule>>> = {
  'old list': { operation: 'ListObjectsV2', fault: 'old-list', times: Infinity },
  'old head': { operation: 'HeadObject', key, fault: 'old-head', times: Infinity, probability: 0.5 },
};

/** An S3 server that lies, and loses its objects. */
export class LyingS3 implements AttackedStore {
  readonly counts: Partial<Record<(typeof attacks)[number], number>> = {};
  readonly #server: FaultyS3;
  readonly #folder: string;
  readonly #sealed: string;
  #turn = 0;

  private constructor(server: FaultyS3, folder: string, sealed: string) {
    this.#server = server;
    this.#folder = folder;
    this.#sealed = sealed;
  }

  /** @param folder gets what the bucket holds finally */
  static async start(folder: string, sealed: string, seed: number): Promise<LyingS3> {
    const server = await startFaultyS3({ buckets: [BUCKET], minPartBytes: 1, seed });
    return new LyingS3(server, folder, sealed);
  }

  get uri(): string {
    const endpoint = encodeURIComponent(this.#server.endpoint);
    return `s3://${BUCKET}/robots?endpoint=${endpoint}&timeout_ms=2000`;
  }

  get environment(): Record<string, string> {
    return awsEnvironment(this.#server);
  }

  isUsed(): Promise<boolean> {
    return Promise.resolve(this.#server.objects().some((object) => object.key.endsWith('store-id')));
  }

  async attack(random: () => number): Promise<void> {
    await this.settle();
    const kind = attacks[this.#turn++ % attacks.length]!;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    const lie = lies[kind];
    if (lie) this.#server.faults.add(lie);
    else if (kind === 'unreachable') this.#server.goOffline('reset');
    else {
      for (const at of await this.#some(random)) {
        if (kind === 'lose objects') this.#server.deleteObject(BUCKET, at);
        else this.#server.exchangeObject(BUCKET, at);
      }
    }
  }

  settle(): Promise<void> {
    this.#server.faults.clear();
    this.#server.goOnline();
    return Promise.resolve();
  }

  async places(): Promise<readonly string[]> {
    const place = join(this.#folder, 'bucket');
    for (const object of this.#server.objects()) {
      const path = join(place, object.key);
      await fs.mkdir(dirname(path), { recursive: true });
      await fs.writeFile(path, await this.#server.readObject(BUCKET, object.key));
    }
    return [place];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop();
  }

  /** Some objects of which a local copy is left. */
  async #some(random: () => number): Promise<string[]> {
    const found: string[] = [];
    for (const object of this.#server.objects()) {
      if (key.test(object.key) && (await isHere(this.#sealed, object.key))) found.push(object.key);
    }
    return found.sort(() => random() - 0.5).slice(0, LOST_MAX);
  }
}
