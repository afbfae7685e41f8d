import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import type { DeletionPlan } from '../../src/deletion/deletion-plan.js';
import { planDeletion, requestId } from '../../src/deletion/deletion-plan.js';
import type { DeletionReceipt } from '../../src/deletion/deletion-receipt.js';
import type { DeletionRequest } from '../../src/deletion/deletion-request.js';
import { FolderPlace } from '../../src/deletion/folder-place.js';
import { journalName, readJournal, runDeletion } from '../../src/deletion/run-deletion.js';
import { StorePlace } from '../../src/deletion/store-place.js';
import {
  decodeManifest,
  encodeManifest,
  encryptedKey,
  isSegmentKey,
  manifestKey,
  type Manifest,
} from '../../src/core/manifest.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable, type Readable } from '../../src/core/mcap/readable.js';
import { decryptedReadable } from '../../src/encryption/decrypted-readable.js';
import { factsOf, newContentKey } from '../../src/encryption/encrypted-content.js';
import { noKeys, openDataKey, type Keyring } from '../../src/encryption/keyring.js';
import { signingKey } from '../../src/encryption/signing-key.js';
import type { Recipient } from '../../src/encryption/wrapped-key.js';
import { DigestFile } from '../../src/seal/digest-file.js';
import { SECOND, sealedFolder, START, uploadAll, type Made } from '../recordings/sealed-fixture.js';
import { MemoryStore, type MemoryStoreContent } from '../support/memory-store.js';
import { TestClock } from '../support/test-clock.js';

export const SECRET = signingKey(Buffer.alloc(32, 7));
const signal = new AbortController().signal;

/** What a segment has. */
export interface Content {
  readonly manifest: Manifest;
  readonly messages: readonly string[];
  readonly metadata: string;
}

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
  keyring: Keyring = noKeys;

  private constructor(
    readonly root: string,
    readonly folder: DataFolder,
  ) {}

  static async make(segments = 3, made?: Made): Promise<DeletionWorld> {
    const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-delete-'));
    const world = new DeletionWorld(root, await sealedFolder(join(root, 'data'), segments, made));
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
    const keys = { keyring: this.keyring, random: randomBytes };
    const scratch = async (): Promise<string> => {
      await fs.mkdir(`${this.root}.scratch`, { recursive: true });
      return `${this.root}.scratch`;
    };
    return [
      new FolderPlace(fileSystem, this.folder, keys),
      new StorePlace(store, signal, { fs: fileSystem, ...keys, scratch }),
    ];
  }

  /** Encrypts what is sealed, and uploads that in place of all that the store has. */
  async encrypt(recipients: readonly Recipient[]): Promise<void> {
    const { sealed } = this.folder;
    for (const name of (await fs.readdir(sealed)).filter((one) => one.endsWith('.mcap'))) {
      const path = join(sealed, manifestKey(name));
      const manifest = decodeManifest(await fs.readFile(path, 'utf8'), path);
      const plain = await fs.readFile(join(sealed, name));
      const key = newContentKey(randomBytes);
      await using handle = await fs.open(join(sealed, `${name}.enc`), 'w');
      const file = new DigestFile(handle, undefined, key);
      await file.write(plain);
      const digest = await file.finish();
      const encryption = factsOf(key, plain.length, recipients, randomBytes, 2);
      const made: Manifest = {
        ...manifest,
        ...{ version: 3, key: encryptedKey(manifest.key), encryption },
        file: { name, ...digest, compression: manifest.file.compression },
      };
      await fs.writeFile(path, encodeManifest(made));
      await fs.rm(join(sealed, name));
    }
    this.content.objects.clear();
    await uploadAll(this.folder, this.store);
  }

  plan(request: DeletionRequest): Promise<DeletionPlan> {
    return planDeletion(request, this.places());
  }

  /**
   * Begins or continues, as the command does.
   *
   * @param planned - A plan that was made before; default: one of the present state.
   */
  async run(
    request: DeletionRequest,
    fileSystem: FileSystem = fs,
    store = this.store,
    planned?: DeletionPlan,
  ): Promise<{ readonly receipt: DeletionReceipt; readonly path: string }> {
    const places = this.places(fileSystem, store);
    const journal = join(this.root, 'out', journalName(requestId(request, places)));
    const begun = await readJournal(fs, journal);
    const plan = begun?.plan ?? planned ?? (await planDeletion(request, places));
    const facts = { at: '1900000000000000000', by: 'ada@desk', reason: 'request 12', plan: plan.id };
    return runDeletion(
      { fs: fileSystem, clock: new TestClock(), places, journal, secret: SECRET, signal },
      begun ?? { format: 'holdfast-deletion-journal', version: 1, plan, facts },
    );
  }

  /** Runs until the process dies at this step, counted from 1; true: it ended before. */
  async runUntil(request: DeletionRequest, step: number): Promise<boolean> {
    const { fs: disk, step: faults } = killAfter(step);
    const dying = new MemoryStore({ content: this.content, faults });
    return this.run(request, disk, dying).then(
      () => true,
      () => false,
    );
  }

  async isState(wanted: Readonly<Record<string, string>>): Promise<boolean> {
    return isDeepStrictEqual(await this.state(), wanted);
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

  /** Every message of the robot in the folder or the store, carried ones too, by the names of their segments. */
  async contentOf(where: 'folder' | 'store', robot: string): Promise<Map<string, Content>> {
    const found = new Map<string, Content>();
    const files = new Map<string, Buffer>();
    if (where === 'store') for (const [key, data] of this.content.objects) files.set(key, data);
    else {
      for (const name of await fs.readdir(this.folder.sealed))
        files.set(name, await fs.readFile(join(this.folder.sealed, name)));
    }
    for (const [name, data] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const manifest = files.get(manifestKey(name));
      if (!isSegmentKey(name) || manifest === undefined) continue;
      const facts = decodeManifest(manifest.toString(), name);
      if (facts.robot !== robot || facts.evicted) continue;
      found.set(name, await this.#content(bytesReadable(data), facts, name));
    }
    return found;
  }

  async #content(sealed: Readable, manifest: Manifest, name: string): Promise<Content> {
    const { encryption } = manifest;
    const readable = encryption
      ? decryptedReadable(sealed, openDataKey(this.keyring, encryption, name), name)
      : sealed;
    const reader = await openMcap(readable, name);
    const messages: string[] = [];
    for await (const { data, channel } of reader.messages()) {
      messages.push(`${channel.carried ? 'carried ' : ''}${Buffer.from(data).subarray(8, -1).toString()}`);
    }
    return { manifest, messages, metadata: JSON.stringify(await reader.metadata()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of [this.root, `${this.root}.kept`, `${this.root}.scratch`])
      await fs.rm(path, { recursive: true, force: true });
  }
}

/** A disk and a store of a process that dies at one step: that step and all after it fail. */
export function killAfter(steps: number): { readonly fs: FileSystem; readonly step: () => void } {
  let left = steps;
  const step = (): void => {
    if (--left <= 0) throw new Error('killed');
  };
  const dying = new Proxy(fs, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        step();
        return (value as (...given: unknown[]) => Promise<unknown>)(...args);
      };
    },
  });
  return { fs: dying, step };
}
