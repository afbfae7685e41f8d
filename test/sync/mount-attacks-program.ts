// One attack on the disk behind a store's path, with real mounts, in a mount namespace of its own (`unshare --mount`).
// Argument: the attack. Prints one line of JSON: how many local copies went, and which of them no disk holds.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeManifest, manifestKey } from '../../src/core/manifest.js';
import { openStore } from '../../src/stores/open-store.js';
import type { SyncEngine } from '../../src/sync/sync-engine.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';
import { storePorts } from '../support/store-ports.js';
import { evictAll } from './last-copy-world.js';
import { KIB, realClock, SyncWorld, type Sealed } from './sync-world.js';

const run = (command: string, ...args: readonly string[]): void => {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
};

/** Disks are tmpfs mounts somewhere else, bound to the store's path while they are plugged in. */
class Disks {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  get mountPoint(): string {
    return join(this.#root, 'mnt');
  }

  pathOf(name: string): string {
    return join(this.#root, name);
  }

  async make(name: string): Promise<void> {
    await fs.mkdir(this.pathOf(name), { recursive: true });
    await fs.mkdir(this.mountPoint, { recursive: true });
    run('mount', '-t', 'tmpfs', '-o', 'size=16m', 'none', this.pathOf(name));
  }

  plugIn(name: string): void {
    run('mount', '--bind', this.pathOf(name), this.mountPoint);
  }

  pullOut(): void {
    run('umount', '--lazy', this.mountPoint);
  }

  /** As `cp -a` or a snapshot makes it. */
  async copy(from: string, to: string): Promise<void> {
    await this.make(to);
    run('cp', '-a', `${this.pathOf(from)}/.`, this.pathOf(to));
  }
}

const [attack = ''] = process.argv.slice(2);
const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-mounts-'));
const disks = new Disks(root);
await using world = await SyncWorld.create();
await disks.make('disk');
disks.plugIn('disk');
await using store = await openStore(`dir:${disks.mountPoint}`, {}, storePorts);

const seal = async (count: number, bytes = 1_000): Promise<void> => {
  for (let at = 0; at < count; at++) await world.seal(bytes + at);
};
const drain = async (options: Partial<SyncOptions> = {}, withinMs = 10_000): Promise<boolean> =>
  (await world.drain(store, { options }, AbortSignal.timeout(withinMs))).complete;

/** On a busy machine the answers of one round come too late for it. */
async function evictFully(options: Partial<SyncOptions> = {}, from = store): Promise<Sealed[]> {
  const gone: Sealed[] = [];
  for (let round = 0; round < 10 && gone.length < world.sealed.length; round++) {
    gone.push(...(await evictAll(world, { store: from, options })));
  }
  return gone;
}

async function holds(name: string, { manifest, data }: Sealed): Promise<boolean> {
  const read = (key: string): Promise<Buffer> =>
    fs.readFile(join(disks.pathOf(name), key)).catch(() => Buffer.alloc(0));
  const [object, text] = [await read(manifest.key), await read(manifestKey(manifest.key))];
  return object.equals(data) && text.equals(Buffer.from(encodeManifest(manifest)));
}

/** Each returns what went, and the disk that must hold it. */
const attacks: Readonly<Record<string, () => Promise<{ gone: Sealed[]; on: string }>>> = {
  'another disk is mounted in its place, and accepted': async () => {
    await seal(3);
    await drain();
    disks.pullOut();
    await disks.make('other');
    await fs.mkdir(join(disks.pathOf('other'), '.holdfast'));
    await fs.writeFile(join(disks.pathOf('other'), '.holdfast', 'store-id'), `${'b'.repeat(32)}\n`);
    disks.plugIn('other');
    // A store that is open remembers its id; a process that is started on another disk opens it again.
    await using other = await openStore(`dir:${disks.mountPoint}`, {}, storePorts);
    return { gone: await evictFully({ acceptNewStore: true }, other), on: 'other' };
  },
  'it is unmounted': async () => {
    await seal(3);
    await drain();
    disks.pullOut();
    const gone = await evictAll(world, { store });
    const under = await fs.readdir(disks.mountPoint);
    if (under.length > 0) throw new Error(`written under the mount point: ${under.join(', ')}`);
    return { gone, on: 'nowhere' };
  },
  'it is swapped for its copy': async () => {
    await seal(1);
    await drain();
    await disks.copy('disk', 'copy');
    await seal(2);
    await drain();
    disks.pullOut();
    disks.plugIn('copy');
    return { gone: await evictFully(), on: 'copy' };
  },
  'it is set back to a snapshot': async () => {
    await seal(1);
    await drain();
    await disks.copy('disk', 'snapshot');
    await seal(2);
    await drain();
    run('find', disks.pathOf('disk'), '-mindepth', '1', '-delete');
    run('cp', '-a', `${disks.pathOf('snapshot')}/.`, disks.pathOf('disk'));
    return { gone: await evictFully(), on: 'disk' };
  },
  'it drops out again and again while segments are sent': async () => {
    // A disk that was never used is whatever lies at its path first.
    await seal(1);
    await drain();
    await seal(24, 64 * KIB);
    const engine: SyncEngine = await world.open(store, { options: { bandwidthBytesPerS: 2_000_000 } });
    const end = new AbortController();
    const working = engine.run(end.signal);
    for (let at = 0; at < 8; at++) {
      await realClock.sleep(60);
      disks.pullOut();
      await realClock.sleep(20);
      disks.plugIn('disk');
    }
    engine.syncNow();
    end.abort();
    await working;
    await engine.close();
    await drain({}, 20_000);
    return { gone: await evictFully(), on: 'disk' };
  },
};

const { gone, on } = await attacks[attack]!();
const lost: string[] = [];
for (const sealed of gone) if (!(await holds(on, sealed))) lost.push(sealed.name);
console.log(JSON.stringify({ gone: gone.length, lost }));
process.exit(0);
