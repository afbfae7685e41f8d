import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { describeError, systemCode } from '../../core/errors.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../../core/durable-files.js';
import type { DataFolder } from '../../core/data-folder.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import {
  decodeManifest,
  encodeManifest,
  encryptedKey,
  isDigested,
  type DigestedManifest,
  type Manifest,
} from '../../core/manifest.js';
import type { ModelDigests } from './infer-steps.js';
import { recipientsName, type Recipient } from '../../encryption/wrapped-key.js';

/** The end of a name: the digest of the rules. */
const FORM_DIGITS = 12;
const FORM_END = /\.[0-9a-f]{12}\.mcap$/;

/** What decides every byte of a derived file, apart from the sealed one. */
export interface TransformSettings {
  readonly rules: readonly string[];
  readonly hashKey: Uint8Array;
  /** SHA-256 of the models of the rules, by path; absent: there are none. */
  readonly models?: ModelDigests;
  /** Who can read it. Empty: it is not encrypted. Otherwise each copy has a data key of its own, and so other bytes. */
  readonly recipients: readonly Recipient[];
}

/**
 * Derived files that may be sent again: to another sink, or after the link was cut. An entry is the file and then its
 * manifest, so a file without one is incomplete. It is only a cache: what is missing, damaged or of other rules is made
 * again, with the same bytes.
 */
export class TransformCache {
  readonly #fs: FileSystem;
  readonly #logger: Logger;
  readonly #maxBytes: number;
  readonly #form: string;
  readonly #keyOf: (key: string) => string;

  /** @param maxBytes - Of all files of one data folder; 0: nothing is kept. */
  constructor(fs: FileSystem, logger: Logger, settings: TransformSettings, maxBytes: number) {
    this.#fs = fs;
    this.#logger = logger;
    this.#maxBytes = maxBytes;
    const { rules, hashKey, recipients, models = {} } = settings;
    const digests = Object.entries(models).sort();
    this.#keyOf = recipients.length === 0 ? (key) => key : encryptedKey;
    this.#form = createHash('sha256')
      .update(JSON.stringify(rules))
      .update(hashKey)
      .update(digests.length === 0 ? '' : JSON.stringify(digests))
      .update(recipients.length === 0 ? '' : recipientsName(recipients))
      .digest('hex')
      .slice(0, FORM_DIGITS);
  }

  /** Puts the derived file of a segment at `target`; undefined if the cache does not have it. */
  async take(folder: DataFolder, manifest: Manifest, target: string): Promise<DigestedManifest | undefined> {
    if (this.#maxBytes === 0) return undefined;
    const path = this.#path(folder, manifest);
    try {
      const text = await readFileIfPresent(this.#fs, `${path}.json`);
      if (!text) return undefined;
      const found = decodeManifest(text.toString('utf8'), `${path}.json`);
      const { size } = await this.#fs.stat(`${path}.mcap`);
      const isIts = isDigested(found) && found.derived?.source.sha256 === manifest.file.sha256;
      if (!isIts || found.key !== this.#keyOf(manifest.key) || size !== found.file.bytes) return undefined;
      await this.#fs.link(`${path}.mcap`, target);
      return found;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') this.#warn(error);
      return undefined;
    }
  }

  /** Keeps a derived file that lies at `path`, if there is room for it. Never rejects. */
  async keep(folder: DataFolder, manifest: DigestedManifest, path: string): Promise<void> {
    if (manifest.file.bytes > this.#maxBytes) return;
    const entry = this.#path(folder, manifest);
    try {
      await makeDirectoryDurably(this.#fs, folder.transformed);
      await this.#makeRoom(folder, manifest.file.bytes);
      for (const end of ['.json', '.mcap']) await this.#fs.rm(`${entry}${end}`, { force: true });
      await this.#fs.link(path, `${entry}.mcap`);
      await writeFileDurably(this.#fs, `${entry}.json`, encodeManifest(manifest));
      // Deleted or evicted while the copy was made: nobody would look for it later.
      if (!(await this.#isHere(folder, manifest)))
        await this.#remove(folder.transformed, basename(`${entry}.mcap`));
    } catch (error) {
      this.#warn(error);
    }
  }

  async #isHere({ sealed }: DataFolder, { file }: Manifest): Promise<boolean> {
    const found = await this.#fs.stat(join(sealed, file.name)).catch((error: unknown) => systemCode(error));
    return found !== 'ENOENT';
  }

  #path({ transformed }: DataFolder, { file }: Manifest): string {
    return join(transformed, `${file.name.replace(/\.mcap$/, '')}.${this.#form}`);
  }

  /** Removes the files of segments that are no longer here, and then the oldest ones until one of this size fits. */
  async #makeRoom({ transformed, sealed }: DataFolder, bytes: number): Promise<void> {
    const segments = new Set(await this.#fs.readdir(sealed));
    const sizes = new Map<string, number>();
    for (const name of (await this.#fs.readdir(transformed)).sort()) {
      if (!name.endsWith('.mcap')) continue;
      if (segments.has(name.replace(FORM_END, '.mcap'))) {
        sizes.set(name, (await this.#fs.stat(join(transformed, name))).size);
      } else await this.#remove(transformed, name);
    }
    let used = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    for (const [name, size] of sizes) {
      if (used + bytes <= this.#maxBytes) return;
      await this.#remove(transformed, name);
      used -= size;
    }
  }

  /** The manifest first: a file without one is incomplete. */
  async #remove(folder: string, name: string): Promise<void> {
    for (const end of ['.json', '.mcap']) {
      await this.#fs.rm(join(folder, name.replace(/\.mcap$/, end)), { force: true });
    }
  }

  #warn(error: unknown): void {
    this.#logger.warn('derived segments cannot be kept for another upload', { error: describeError(error) });
  }
}
