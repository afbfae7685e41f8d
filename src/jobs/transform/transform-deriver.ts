import { join } from 'node:path';
import { TRANSFORMED_FORM } from '../../core/derivation.js';
import { makeDirectoryDurably } from '../../core/durable-files.js';
import type { FileSystem } from '../../core/file-system.js';
import {
  encodeManifest,
  encryptedKey,
  manifestKey,
  type DigestedManifest,
  type Manifest,
} from '../../core/manifest.js';
import type {
  Derived,
  DerivedMarker,
  ListedObject,
  MarkerVerdict,
  SegmentDeriver,
} from '../../core/segment-deriver.js';
import type { Store } from '../../core/store.js';
import { SegmentFileDeriver } from '../../recordings/segment-file-deriver.js';
import type { SegmentTransformer } from './segment-transformer.js';

/** The file that a sink gets of a sealed one. */
const fileIn = (scratch: string): string => join(scratch, 'transformed.mcap');

/** Sends the derived segment instead of the sealed one, under the same key. */
export class TransformDeriver extends SegmentFileDeriver {
  readonly form = TRANSFORMED_FORM;
  readonly standsForSegment = true;
  readonly #transformer: SegmentTransformer;
  readonly #isEncrypted: boolean;

  /** @param isEncrypted - The transformer has recipients. */
  constructor(transformer: SegmentTransformer, isEncrypted = false) {
    super();
    this.#transformer = transformer;
    this.#isEncrypted = isEncrypted;
  }

  override markerKey({ key }: Manifest): string {
    return manifestKey(this.#isEncrypted ? encryptedKey(key) : key);
  }

  /** A tombstone has nothing to encrypt, and lies where those of all segments do. */
  override tombstone(manifest: Manifest): DerivedMarker {
    return { key: manifestKey(manifest.key), text: encodeManifest(manifest) };
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    const target = fileIn(scratch);
    const made = await this.#transformer.transform(path, manifest, target, signal);
    const { bytes, sha256, crc32 } = made.file;
    return {
      files: [{ key: made.key, path: target, bytes, sha256, crc32 }],
      marker: { key: this.markerKey(manifest), text: encodeManifest(made) },
      transformed: sizes(manifest, made),
    };
  }
}

/** Makes the files of another deriver of the derived segment: no file that leaves is made of the sealed one. */
export class TransformedDeriver implements SegmentDeriver {
  readonly form: string;
  readonly #fs: FileSystem;
  readonly #transformer: SegmentTransformer;
  readonly #inner: SegmentDeriver;

  constructor(
    fs: FileSystem,
    transformer: SegmentTransformer,
    inner: SegmentDeriver & { readonly form: string },
  ) {
    this.form = inner.form;
    this.#fs = fs;
    this.#transformer = transformer;
    this.#inner = inner;
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    const target = fileIn(scratch);
    const made = await this.#transformer.transform(path, manifest, target, signal);
    const files = join(scratch, 'files');
    await makeDirectoryDurably(this.#fs, files);
    // A marker names the sealed file as its source, by which it is found again.
    const derived = await this.#inner.derive(target, { ...made, file: manifest.file }, files, signal);
    return { ...derived, transformed: sizes(manifest, made) };
  }

  markerKey(manifest: Manifest): string {
    return this.#inner.markerKey(manifest);
  }

  judge(marker: Buffer, manifest: Manifest): MarkerVerdict {
    return this.#inner.judge(marker, manifest);
  }

  files(marker: Buffer): readonly ListedObject[] {
    return this.#inner.files(marker);
  }

  replacements(
    store: Store,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ListedObject[] | undefined> {
    return this.#inner.replacements(store, keys, signal);
  }

  tombstone(manifest: Manifest): DerivedMarker {
    return this.#inner.tombstone(manifest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

function sizes(manifest: Manifest, made: DigestedManifest): NonNullable<Derived['transformed']> {
  return { bytesIn: manifest.payloadBytes, bytesOut: made.payloadBytes };
}
