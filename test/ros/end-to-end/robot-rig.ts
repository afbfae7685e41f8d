import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../../../src/core/present.js';
import { askRole } from '../../../src/app/control/control-client.js';
import { FilePool } from '../../../src/recordings/file-readable.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import { manifestKey, decodeManifest, type Manifest } from '../../../src/core/manifest.js';
import type { RecorderStatus } from '../../../src/core/status.js';
import { openMcap } from '../../../src/core/mcap/open-mcap.js';
import { withoutPadding } from './publishers.js';
import { nodeLoader, startRos, stopRosChildren, type RosChild, type RosInstall } from '../../support/ros.js';
import { testedReceiver } from '../../support/tested-receiver.js';
import { sleep } from '../../../src/testing/waiting.js';

/** One message as the store has it. */
export interface Stored {
  readonly robot: string;
  readonly topic: string;
  readonly data: string;
  readonly carried: boolean;
  readonly key: string;
}

/** One robot: the two nodes as processes, a data folder, and a folder as store. */
export class RobotRig implements AsyncDisposable {
  private constructor(
    readonly ros: RosInstall,
    readonly domainId: number,
    readonly root: string,
  ) {}

  static async create(ros: RosInstall, domainId: number): Promise<RobotRig> {
    return new RobotRig(ros, domainId, await fs.mkdtemp(join(tmpdir(), 'holdfast-ros-')));
  }

  get data(): string {
    return join(this.root, 'data');
  }

  get store(): string {
    return join(this.root, 'store');
  }

  /** Resolves when it records. */
  async recorder(parameters: Readonly<Record<string, string>> = {}): Promise<RosChild> {
    const given = {
      data: this.data,
      robot: 'r1',
      'foxglove.enabled': 'false',
      'web.enabled': 'false',
      'segment.max_age_ms': '1s',
      'ros.receive': testedReceiver,
      ...parameters,
    };
    const child = this.#start('recorder-main', given);
    await child.waitFor(/recording/);
    return child;
  }

  /** Resolves when it syncs. */
  async sync(parameters: Readonly<Record<string, string>> = {}): Promise<RosChild> {
    const uri = `dir:${this.store}`;
    const given = { data: this.data, 'store.uri': uri, poll_interval_ms: '100ms', ...parameters };
    const child = this.#start('sync-main', given);
    await child.waitFor(/syncing/);
    return child;
  }

  #start(script: string, parameters: Readonly<Record<string, string>>): RosChild {
    const extension = extname(import.meta.url);
    const main = fileURLToPath(new URL(`../../../src/app/ros/${script}${extension}`, import.meta.url));
    const ros = Object.entries(parameters).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);
    return startRos(this.ros, process.execPath, [...nodeLoader, main, '--ros-args', ...ros], {
      domainId: this.domainId,
    });
  }

  /** What the recorder says has been made durable by now; 0 while it cannot be asked yet. */
  async durable(): Promise<number> {
    try {
      const status = (await askRole(this.data, 'recorder', 'status')) as RecorderStatus;
      return status.totals.durable;
    } catch (error) {
      if (isHoldfastError(error, 'ROLE_NOT_RUNNING')) return 0;
      throw error;
    }
  }

  /** Ends a node and gives its exit code: on a busy machine draining and sealing may take their time. */
  async end(node: RosChild, signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    process.kill(-present(node.child.pid), signal);
    return node.ended;
  }

  /** Resolves when every sealed segment has its receipt: the store holds it, verified. */
  async synced(timeoutMs = 30_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const names = async (folder: string): Promise<string[]> =>
        (await fs.readdir(join(this.data, folder)).catch(() => [])).filter((name) => name.endsWith('.json'));
      const [sealed, receipts] = [await names('sealed'), await names('receipts')];
      const missing = sealed.filter((name) => !receipts.includes(name));
      if (sealed.length > 0 && missing.length === 0) return;
      if (Date.now() > deadline) throw new Error(`not synced: ${missing.join(', ') || 'nothing was sealed'}`);
      await sleep(100);
    }
  }

  /** Every manifest of the store, in order. */
  async manifests(): Promise<Manifest[]> {
    const manifests: Manifest[] = [];
    for (const entry of await fs.readdir(this.store, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.json')) continue;
      const path = join(entry.parentPath, entry.name);
      if (path.includes('.holdfast')) continue;
      manifests.push(decodeManifest(await fs.readFile(path, 'utf8'), path));
    }
    return manifests.sort((a, b) => (a.segment.id < b.segment.id ? -1 : 1));
  }

  /** Everything the store holds. Each object must have its manifest, and each manifest its object. */
  async stored(): Promise<Stored[]> {
    await using pool = new FilePool(fs);
    const all: Stored[] = [];
    for (const { key, robot } of await this.manifests()) {
      await fs.access(join(this.store, manifestKey(key)));
      const reader = await openMcap(pool.readable(join(this.store, key)), key);
      for await (const { channel, data } of reader.messages()) {
        const { topic, carried } = channel;
        all.push({ robot, topic, carried, key, data: Buffer.from(data).toString('base64') });
      }
    }
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Where a claim failed they still write.
    await stopRosChildren();
    await fs.rm(this.root, { recursive: true, force: true });
  }
}

/** Payloads of one topic in the order of recording, the carried ones left out. */
export function ofTopic(stored: readonly Stored[], topic: string): string[] {
  return rawOfTopic(stored, topic).map((data) => withoutPadding(Buffer.from(data, 'base64')));
}

/** The same, with every byte as it came. */
export function rawOfTopic(stored: readonly Stored[], topic: string): string[] {
  return stored.filter((one) => one.topic === topic && !one.carried).map(({ data }) => data);
}
