import { basename, join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { isUnreadable } from '../core/durable-files.js';
import { describeError, isHoldfastError, systemCode } from '../core/errors.js';
import {
  decodeManifest,
  ENCRYPTED_END,
  isSegmentKey,
  localFileName,
  manifestKey,
  SEGMENT_ENDS,
  withoutSegmentEnd,
  type Manifest,
} from '../core/manifest.js';
import type { Readable } from '../core/mcap/readable.js';
import { isReceiptFor, receiptFiles } from '../core/receipt-file.js';
import type { Store } from '../core/store.js';
import { present } from '../core/present.js';
import { noKeys } from '../encryption/keyring.js';
import { readEncrypted } from './check-encrypted.js';
import { checkFit, checkManifest, checkMcap, identityIn } from './check-object.js';
import { checkKey, checkName, checkRobot } from './check-place.js';
import { checkFolderDocuments } from './check-documents.js';
import { Findings } from './findings.js';
import type { Located } from './locate.js';
import { namesIn, readAnyManifestFile } from './segments.js';
import { readAnyManifestObject, storeEntries } from './catalogue/store-entries.js';
import { sampleEntries } from './sample-store.js';
import { SequenceLedger } from './sequence-ledger.js';
import { storeReadable } from './store-readable.js';
import { surveyObject } from './survey-object.js';
import type { VerifyOptions, VerifyReport } from './verify-report.js';

export type { VerifyOptions, VerifyProgress, VerifyReport } from './verify-report.js';

/** Bytes between two calls of `onProgress`. */
const PROGRESS_BYTES = 16 * 1024 * 1024;

/**
 * Reads everything and compares it: every chunk's CRC, the CRCs of the data section and the summary, the
 * index, size, SHA-256 and CRC-32 of each file, the manifest's counts, times, gaps and sequences, and whether
 * anything is missing or left over. Memory: one object's chunk and index. Throws only if the place cannot be
 * read (store offline, I/O error).
 */
export async function verify(located: Located, options: VerifyOptions): Promise<VerifyReport> {
  const run = new Verification(options, located.kind);
  if (located.kind === 'data') await run.dataFolder(located.folder);
  else if (located.kind === 'store') await run.store(located.store);
  else for (const path of located.files) await run.recording(path);
  return run.report();
}

class Verification {
  readonly #findings = new Findings();
  readonly #sequences: SequenceLedger;
  readonly #totals = { objects: 0, bytes: 0, messages: 0, carried: 0, gaps: 0, tombstones: 0, unopened: 0 };
  #objectsTotal: number | undefined;
  #toldAt = 0;

  constructor(
    readonly options: VerifyOptions,
    kind: Located['kind'],
  ) {
    this.#sequences = new SequenceLedger(kind === 'data' ? 'error' : 'warning');
  }

  report(): VerifyReport {
    // A sample cannot show what is missing in between.
    if (!this.options.sample) this.#sequences.check(this.#findings);
    const { list, errors, warnings } = this.#findings;
    return { ok: errors === 0, findings: list, totals: { ...this.#totals, errors, warnings } };
  }

  async recording(path: string): Promise<void> {
    // A file that metadata.yaml of a bag lists: nothing else removes one from a recording.
    const isThere = await this.options.files.fs.stat(path).then(
      () => true,
      (error: unknown) => systemCode(error) !== 'ENOENT',
    );
    if (!isThere) this.#findings.add('error', path, 'file of the bag', 'present', 'none');
    else await this.#object(path, this.options.files.readable(path), undefined);
  }

  async dataFolder(folder: DataFolder): Promise<void> {
    const { files } = this.options;
    const names = await this.#names(folder.sealed);
    const unsealed = new Set(await this.#names(folder.wal));
    await this.#noteElsewhere(folder, unsealed);
    this.#objectsTotal = names.filter(isSegmentKey).length;
    for (const name of names) {
      const path = join(folder.sealed, name);
      if (isSegmentKey(name)) {
        const manifest = await this.#localManifest(folder, name, unsealed);
        if (typeof manifest !== 'object') this.#sequences.isUnread(name);
        if (manifest === 'evicted') continue;
        await this.#sealed(path, manifest === 'damaged' ? undefined : manifest);
        if (manifest !== undefined && manifest !== 'damaged') await this.#receipt(folder, name, manifest);
      } else if (name.endsWith('.json')) {
        if (!SEGMENT_ENDS.some((end) => names.includes(name.replace(/\.json$/, end)))) {
          this.#sequences.isUnread(name);
          await this.#lonelyManifest(path);
        }
      } else if (name.endsWith('.evicted')) {
        await this.#unfinishedEviction(path);
      } else {
        const what = name.endsWith('.tmp') ? 'left over from an unfinished write' : 'a file nobody knows';
        this.#findings.add('warning', path, 'sealed/', 'segments and manifests', what);
      }
    }
    for (const name of await namesIn(files, folder.quarantine, () => undefined)) {
      this.#findings.add(
        'warning',
        join(folder.quarantine, name),
        'quarantine/',
        'empty',
        'a damaged segment',
      );
    }
    await checkFolderDocuments(files, folder, this.#findings);
    for (const name of await namesIn(files, folder.tombstones, () => undefined))
      await this.#tombstone(join(folder.tombstones, name));
  }

  /** Segments that are not in `sealed/`, each with a trace. */
  async #noteElsewhere(folder: DataFolder, unsealed: ReadonlySet<string>): Promise<void> {
    const listed = [folder.quarantine, folder.tombstones, folder.receipts];
    for (const name of unsealed) this.#sequences.isElsewhere(name);
    for (const path of listed) {
      for (const name of await this.#names(path)) this.#sequences.isElsewhere(name);
    }
  }

  /** A folder that cannot be read may hold segments, or say where they are. */
  #names(path: string): Promise<string[]> {
    return namesIn(this.options.files, path, (error) =>
      this.#findings.add('error', path, 'folder', 'readable', describeError(error)),
    );
  }

  async #localManifest(
    folder: DataFolder,
    name: string,
    unsealed: ReadonlySet<string>,
  ): Promise<Manifest | 'damaged' | 'evicted' | undefined> {
    const path = join(folder.sealed, manifestKey(name));
    try {
      const manifest = await readAnyManifestFile(this.options.files, path);
      if (manifest === undefined) {
        if (await this.#isBeingEvicted(join(folder.sealed, name))) return 'evicted';
        // The manifest comes last: while the WAL still has the segment, it will be sealed again.
        const severity = unsealed.has(name.split('.')[0] ?? '') ? 'warning' : 'error';
        this.#findings.add(severity, path, 'manifest', 'present', 'none');
      } else {
        this.#findings.same(path, 'file name', localFileName(manifest), name);
        checkName(path, manifest, this.#findings);
        this.#sequences.add(path, manifest);
      }
      return manifest;
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID') && !isUnreadable(error)) throw error;
      this.#findings.add('error', path, 'manifest', 'valid', describeError(error));
      return 'damaged';
    }
  }

  /** Eviction renames the manifest, then removes the MCAP (retention, in seal/). */
  async #isBeingEvicted(path: string): Promise<boolean> {
    return (await this.#isThere(`${withoutSegmentEnd(path)}.evicted`)) || !(await this.#isThere(path));
  }

  /** Whether one of these files exists. */
  async #isThere(...paths: readonly string[]): Promise<boolean> {
    const { fs } = this.options.files;
    const found = await Promise.all(paths.map((path) => fs.stat(path).catch(() => undefined)));
    return found.some((stats) => stats !== undefined);
  }

  async #unfinishedEviction(path: string): Promise<void> {
    // Removed meanwhile by a running recorder.
    if (!(await this.#isThere(path))) return;
    this.#findings.add(
      'warning',
      path,
      'eviction',
      'finished',
      'begun: the recorder finishes it at its next start',
    );
  }

  async #lonelyManifest(path: string): Promise<void> {
    // Sealed since the listing, or both gone: evicted.
    if (await this.#isThere(...SEGMENT_ENDS.map((end) => path.replace(/\.json$/, end)))) return;
    if (await this.#isThere(path)) this.#findings.add('error', path, 'segment', 'present', 'none');
  }

  async #receipt(folder: DataFolder, name: string, manifest: Manifest): Promise<void> {
    const path = join(folder.receipts, manifestKey(name));
    try {
      const receipts = receiptFiles.parse(await this.options.files.fs.readFile(path, 'utf8'), path);
      this.#findings.same(path, 'segment', manifest.segment.id, receipts.segment);
      this.#findings.same(path, 'robot', manifest.robot, receipts.robot);
      for (const receipt of receipts.stores) {
        if (isReceiptFor(receipt, manifest.file)) continue;
        const { sha256, crc32 } = manifest.file;
        const [what, own, held] =
          sha256 === undefined ? ['crc32', crc32, receipt.crc32] : ['sha256', sha256, receipt.sha256];
        this.#findings.same(path, `${what} in ${receipt.uri}`, own, held);
      }
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      this.#findings.add('warning', path, 'receipt', 'valid', describeError(error));
    }
  }

  async #tombstone(path: string): Promise<void> {
    if (path.endsWith('.tmp')) {
      this.#findings.add('warning', path, 'tombstones/', 'tombstones', 'left over from an unfinished write');
      return;
    }
    try {
      const text = await this.options.files.fs.readFile(path, 'utf8');
      const tombstone = decodeManifest(text, path);
      checkName(path, tombstone, this.#findings);
      if (tombstone.evicted === undefined)
        this.#findings.add('error', path, 'tombstone', 'says when it was evicted', 'does not');
      this.#totals.tombstones++;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      this.#findings.add('error', path, 'tombstone', 'valid', describeError(error));
    }
  }

  async store(store: Store): Promise<void> {
    const { signal, sample } = this.options;
    const entries = sample ? sampleEntries(store, sample, signal) : storeEntries(store, signal);
    for await (const { object, manifest: info, other } of entries) {
      if (other !== undefined) {
        // Written on request, for ros2 bag; or a table of a lake.
        if (/(^|\/)metadata\.yaml$|\.parquet$/.test(other.key)) continue;
        this.#findings.add('warning', other.key, 'object', 'a segment or manifest', 'something else');
        continue;
      }
      let manifest: Manifest | undefined;
      if (info !== undefined) {
        try {
          manifest = await readAnyManifestObject(store, info, signal);
          checkKey(object?.key ?? info.key, manifest, this.#findings);
        } catch (error) {
          if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
          this.#findings.add('error', info.key, 'manifest', 'valid', describeError(error));
          this.#sequences.isUnread(basename(info.key));
        }
      }
      if (object === undefined) {
        if (manifest?.evicted !== undefined) {
          this.#totals.tombstones++;
          this.#sequences.isElsewhere(manifest.segment.id);
        } else if (manifest !== undefined)
          this.#findings.add('error', present(info).key, 'segment', 'present', 'none');
        continue;
      }
      if (manifest?.deleted !== undefined) {
        this.#totals.tombstones++;
        this.#sequences.isElsewhere(manifest.segment.id);
        this.#findings.add('warning', object.key, 'deletion', 'finished', 'begun: run holdfast delete again');
        continue;
      }
      if (info === undefined) {
        this.#findings.add('warning', object.key, 'manifest', 'present', 'none: its upload did not finish');
        this.#sequences.isUnread(basename(object.key));
      }
      if (manifest !== undefined) this.#sequences.add(object.key, manifest);
      const options = signal === undefined ? {} : { signal };
      const readable = storeReadable(store, object.key, object.bytes, options);
      if (manifest?.encryption) await this.#encrypted(object.key, readable, manifest);
      else if (!object.key.endsWith(ENCRYPTED_END)) await this.#object(object.key, readable, manifest);
    }
  }

  /** The file of a sealed segment, plain or encrypted. */
  async #sealed(path: string, manifest: Manifest | undefined): Promise<void> {
    const readable = this.options.files.readable(path);
    if (manifest?.encryption) await this.#encrypted(path, readable, manifest);
    else if (!path.endsWith(ENCRYPTED_END)) await this.#object(path, readable, manifest);
  }

  /** The sums of the ciphertext need no key. With one, the content is checked as that of any other segment. */
  async #encrypted(name: string, readable: Readable, manifest: Manifest): Promise<void> {
    const content = await readEncrypted(name, readable, manifest, {
      findings: this.#findings,
      onBytes: (bytes) => this.#read(name, bytes),
      keyring: this.options.keyring ?? noKeys,
    });
    if (content.state === 'open') return this.#object(name, content.readable, content.manifest);
    this.#totals.objects++;
    if (content.state === 'closed') this.#totals.unopened++;
  }

  #read(name: string, bytes: number): void {
    this.#totals.bytes += bytes;
    this.#tell(name, false);
  }

  async #object(name: string, readable: Readable, manifest: Manifest | undefined): Promise<void> {
    const { signal } = this.options;
    this.#tell(name, true);
    try {
      const survey = await surveyObject(readable, name, (bytes) => this.#read(name, bytes), signal);
      checkMcap(name, survey, this.#findings, survey.scan.library.startsWith('holdfast'));
      const { robot } = identityIn(survey);
      if (manifest !== undefined) checkManifest(name, survey, manifest, this.#findings);
      else checkRobot(name, robot, this.#findings);
      checkFit(name, survey, this.#findings, manifest !== undefined || robot !== undefined);
      this.#totals.objects++;
      for (const { count, carried } of survey.channels.values()) {
        this.#totals.messages += count;
        this.#totals.carried += carried;
      }
      this.#totals.gaps += survey.metadata.filter((record) => record.name === 'holdfast_gap').length;
    } catch (error) {
      // Evicted since the listing; the store or a tombstone reports it.
      if (systemCode(error) === 'ENOENT' && !(await this.#stillListed(name))) return;
      if (!isHoldfastError(error) || error.retryable) throw error;
      this.#findings.add('error', name, 'segment', 'readable', describeError(error));
    }
  }

  async #stillListed(path: string): Promise<boolean> {
    return this.#isThere(manifestKey(path));
  }

  #tell(name: string, always: boolean): void {
    const { objects, bytes } = this.#totals;
    if (!always && bytes - this.#toldAt < PROGRESS_BYTES) return;
    this.#toldAt = bytes;
    const total = this.#objectsTotal === undefined ? {} : { objectsTotal: this.#objectsTotal };
    this.options.onProgress?.({ name, objects, bytes, ...total });
  }
}
