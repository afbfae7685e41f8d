import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import type { DeletionPlan } from '../../src/deletion/deletion-plan.js';
import { planDeletion, requestId } from '../../src/deletion/deletion-plan.js';
import type { DeletionReceipt } from '../../src/deletion/deletion-receipt.js';
import type { DeletionRequest } from '../../src/deletion/deletion-request.js';
import { FolderPlace } from '../../src/deletion/folder-place.js';
import { journalName, readJournal, runDeletion } from '../../src/deletion/run-deletion.js';
import { StorePlace } from '../../src/deletion/store-place.js';
import { signingKey } from '../../src/encryption/signing-key.js';
import { SECOND, sealedFolder, START, uploadAll } from '../recordings/sealed-fixture.js';
import { MemoryStore, type MemoryStoreContent } from '../support/memory-store.js';
import { TestClock } from '../support/test-clock.js';

export const SECRET = signingKey(Buffer.alloc(32, 7));
const signal = new AbortController().signal;

/** Log times of these segments of {@link sealedFolder}. */
export function timesOf(first: number, last = first): Pick<DeletionRequest, 'from' | 'to'> {
  return {
    from: START + BigInt(first) * 10n * SECOND,
    to: START + BigInt(last) * 10n * SECOND + 5n * SECOND,
  };
}

/** A data folder of two robots, a store with a copy of it, and a folder for receipts. */
export class DeletionWorld implements AsyncDisposable {
  readonly store = new MemoryStore();

  private constructor(
    readonly root: string,
    readonly folder: DataFolder,
  ) {}

  static async make(segments = 3): Promise<DeletionWorld> {
    const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-delete-'));
    const world = new DeletionWorld(root, await sealedFolder(join(root, 'data'), segments));
    await uploadAll(world.folder, world.store);
    await fs.mkdir(join(root, 'out'));
    return world;
  }

  /** Remembers the present content; the result restores it. */
  async snapshot(): Promise<() => Promise<void>> {
    const kept = `${this.root}.kept`;
    await fs.cp(this.root, kept, { recursive: true });
    const objects = [...this.content.objects];
    return async () => {
      await fs.rm(this.root, { recursive: true });
      await fs.cp(kept, this.root, { recursive: true });
      this.content.objects.clear();
      for (const [key, data] of objects) this.content.objects.set(key, data);
    };
  }

  get content(): MemoryStoreContent {
    return this.store.content;
  }

  places(fileSystem: FileSystem = fs, store = this.store): [FolderPlace, StorePlace] {
    return [new FolderPlace(fileSystem, this.folder), new StorePlace(store, signal)];
  }

  plan(request: DeletionRequest): Promise<DeletionPlan> {
    return planDeletion(request, this.places());
  }

  /** Begins or continues, as the command does. */
  async run(
    request: DeletionRequest,
    fileSystem: FileSystem = fs,
    store = this.store,
  ): Promise<{ readonly receipt: DeletionReceipt; readonly path: string }> {
    const places = this.places(fileSystem, store);
    const journal = join(this.root, 'out', journalName(requestId(request, places)));
    const begun = await readJournal(fs, journal);
    const plan = begun?.plan ?? (await planDeletion(request, places));
    const facts = { at: '1900000000000000000', by: 'ada@desk', reason: 'request 12', plan: plan.id };
    return runDeletion(
      { fs: fileSystem, clock: new TestClock(), places, journal, secret: SECRET, signal },
      begun ?? { format: 'holdfast-deletion-journal', version: 1, plan, facts },
    );
  }

  /** Every file of the data folder and of the receipts, and every object, with its bytes. */
  async state(): Promise<Readonly<Record<string, string>>> {
    const state: Record<string, string> = {};
    for (const entry of await fs.readdir(this.root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile())
        state[path.slice(this.root.length)] = (await fs.readFile(path))
          .toString('latin1')
          .replaceAll(this.root, '');
    }
    for (const [key, data] of this.content.objects) state[`store ${key}`] = data.toString('latin1');
    return Object.fromEntries(Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of [this.root, `${this.root}.kept`]) await fs.rm(path, { recursive: true, force: true });
  }
}
