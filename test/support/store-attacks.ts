import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { decodeManifest, type Manifest } from '../../src/core/manifest.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { FilePool } from '../../src/recordings/file-readable.js';

/** A store that a campaign uses, and what is done to it while nobody uses it. */
export interface AttackedStore extends AsyncDisposable {
  readonly uri: string;
  /** What sync needs in its environment to use it. */
  readonly environment: Readonly<Record<string, string>>;
  /** What was done, and how often. */
  readonly counts: Readonly<Record<string, number>>;
  /** Sync made it its own. */
  isUsed(): Promise<boolean>;
  /** Does the next thing to it. Nothing is destroyed of which no local copy is left. */
  attack(random: () => number): Promise<void>;
  /** From now on it tells the truth, and is there. */
  settle(): Promise<void>;
  /** Folders with what it holds, and with what was taken out of it. */
  places(): Promise<readonly string[]>;
}

/** In turn; which objects they strike is random. */
const attacks = [
  'keep a snapshot',
  'lose objects',
  'damage an object',
  'set back to the snapshot',
  'unmount',
  'swap for a copy',
  'lose objects',
  'use another store',
] as const;
type StoreAttack = (typeof attacks)[number];

/** Objects lost or damaged by one attack. */
export const LOST_MAX = 30;

/**
 * A folder used as a store. Objects of which no local copy is left go onto a shelf when they must leave it, as a disk
 * into a drawer, so that whatever is missing finally was let go wrongly.
 */
export class AttackedFolder implements AttackedStore {
  readonly counts: Partial<Record<StoreAttack, number>> = {};
  readonly environment = {};
  readonly #folder: string;
  readonly #sealed: string;
  #shelves = 0;
  #isMounted = true;
  #turn = 0;

  /** @param folder holds `store`, and what is made of it */
  constructor(folder: string, sealed: string) {
    this.#folder = folder;
    this.#sealed = sealed;
  }

  get store(): string {
    return join(this.#folder, 'store');
  }

  get uri(): string {
    return `dir:${this.store}`;
  }

  isUsed(): Promise<boolean> {
    return exists(join(this.store, '.holdfast', 'store-id'));
  }

  async attack(random: () => number): Promise<void> {
    await this.settle();
    const kind = attacks[this.#turn++ % attacks.length]!;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    switch (kind) {
      case 'keep a snapshot':
        await fs.rm(this.#snapshot, { recursive: true, force: true });
        await fs.cp(this.store, this.#snapshot, { recursive: true });
        break;
      case 'set back to the snapshot':
        if (!(await exists(this.#snapshot))) break;
        await this.#shelveWhatIsOnlyThere();
        await fs.rm(this.store, { recursive: true });
        await fs.cp(this.#snapshot, this.store, { recursive: true });
        break;
      case 'swap for a copy':
        if (!(await exists(this.#snapshot))) break;
        await fs.rename(this.store, this.#newShelf());
        await fs.cp(this.#snapshot, this.store, { recursive: true });
        break;
      case 'use another store':
        await fs.rename(this.store, this.#newShelf());
        await fs.mkdir(join(this.store, '.holdfast'), { recursive: true });
        await fs.writeFile(join(this.store, '.holdfast', 'store-id'), `${randomBytes(16).toString('hex')}\n`);
        break;
      case 'lose objects':
        for (const path of await this.#some(random)) await fs.rm(path);
        break;
      case 'damage an object':
        for (const path of (await this.#some(random)).slice(0, 1)) {
          await fs.writeFile(path, randomBytes((await fs.stat(path)).size));
        }
        break;
      case 'unmount':
        await fs.rename(this.store, this.#hidden);
        await fs.mkdir(this.store);
        this.#isMounted = false;
    }
  }

  /** The disk is back. What was written under the mount point meanwhile is hidden by it: there must be nothing. */
  async settle(): Promise<void> {
    if (this.#isMounted) return;
    assert.deepEqual(await fs.readdir(this.store), [], 'written under the mount point');
    await fs.rmdir(this.store);
    await fs.rename(this.#hidden, this.store);
    this.#isMounted = true;
  }

  places(): Promise<readonly string[]> {
    const shelves = Array.from({ length: this.#shelves }, (_, at) => join(this.#folder, `shelf-${at}`));
    return Promise.resolve([this.store, ...shelves]);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  get #snapshot(): string {
    return join(this.#folder, 'snapshot');
  }

  get #hidden(): string {
    return join(this.#folder, 'unmounted');
  }

  #newShelf(): string {
    return join(this.#folder, `shelf-${this.#shelves++}`);
  }

  async #shelveWhatIsOnlyThere(): Promise<void> {
    const shelf = this.#newShelf();
    await fs.mkdir(shelf);
    for (const path of [
      ...(await filesBelow(this.store, '.mcap')),
      ...(await filesBelow(this.store, '.json')),
    ]) {
      if (await isHere(this.#sealed, path)) continue;
      const target = join(shelf, relative(this.store, path));
      await fs.mkdir(dirname(target), { recursive: true });
      await fs.rename(path, target);
    }
  }

  /** Some files of which a local copy is left. */
  async #some(random: () => number): Promise<string[]> {
    const found: string[] = [];
    for (const path of [
      ...(await filesBelow(this.store, '.mcap')),
      ...(await filesBelow(this.store, '.json')),
    ]) {
      if (await isHere(this.#sealed, path)) found.push(path);
    }
    return found.sort(() => random() - 0.5).slice(0, LOST_MAX);
  }
}

/** Every message that is held whole in one of these folders: an MCAP beside the manifest that describes it. */
export async function heldMessages(
  places: readonly string[],
  nameOf: (topic: string, sequence: number) => string,
): Promise<Set<string>> {
  const held = new Set<string>();
  await using files = new FilePool(fs);
  for (const place of places) {
    for (const path of await filesBelow(place, '.json')) {
      const manifest = manifestIn(await fs.readFile(path, 'utf8'));
      if (!manifest) continue;
      const object = path.replace(/\.json$/, '.mcap');
      const data = await fs.readFile(object).catch(() => Buffer.alloc(0));
      if (createHash('sha256').update(data).digest('hex') !== manifest.file.sha256) continue;
      const reader = await openMcap(files.readable(object), object);
      for await (const { channel, sequence } of reader.messages()) held.add(nameOf(channel.topic, sequence));
    }
  }
  return held;
}

/** Undefined if something else was put there. */
function manifestIn(text: string): Manifest | undefined {
  try {
    return decodeManifest(text, '');
  } catch {
    return undefined;
  }
}

/** Whether a local copy is left of what lies under this path or key of a store. */
export async function isHere(sealed: string, path: string): Promise<boolean> {
  const robot = /robot=([^/]+)/.exec(path)?.[1] ?? '';
  const name = `${basename(path).replace(/(~\d+)?\.(mcap|json)$/, '')}.${robot}`;
  return (await exists(join(sealed, `${name}.mcap`))) && (await exists(join(sealed, `${name}.json`)));
}

async function filesBelow(root: string, end: string): Promise<string[]> {
  const entries = await fs.readdir(root, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(end) && !entry.parentPath.includes('.holdfast'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function exists(path: string): Promise<boolean> {
  return fs.stat(path).then(
    () => true,
    () => false,
  );
}
