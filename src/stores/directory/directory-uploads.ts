import { crc32 } from '@node-rs/crc32';
import type { Clock } from '../../core/clock.js';
import { NS_PER_MS } from '../../core/clock.js';
import { documentKind } from '../../core/documents/document.js';
import { nanoseconds, object, text } from '../../core/documents/schema-parts.js';
import { HoldfastError } from '../../core/errors.js';
import { randomHex, type RandomBytes } from '../../core/identity.js';
import { closeAll } from '../../core/durable-files.js';
import type { FileHandle } from '../../core/file-system.js';
import type { Receipt, Upload } from '../../core/store.js';
import { keySegments } from '../object-key.js';
import { hasCode } from './directory-errors.js';
import {
  hasItsBytes,
  MAX_PARTS,
  readLine,
  readLines,
  receiptOf,
  writeAll,
  writeLine,
  type PartLine,
} from './part-journal.js';
import { TEMPORARY, UPLOADS, type StoreFolder } from './store-folder.js';

const UPLOAD_ID = /^[0-9a-f]{32}$/;
/** Age at which a temporary name belongs to a dead process. */
const DEBRIS_AGE_NS = 86_400_000n * NS_PER_MS;

interface UploadHead {
  readonly key: string;
  readonly startedAt: bigint;
}

/**
 * Unfinished uploads: `.holdfast/uploads/<uploadId>/` with `upload.json` (key, start), `data` (the parts'
 * bytes in sequence, which become the object) and `parts` (the journal). One rename creates or removes a
 * folder, so none is incomplete.
 */
export class DirectoryUploads {
  readonly #folder: StoreFolder;
  readonly #clock: Clock;
  readonly #random: RandomBytes;

  constructor(folder: StoreFolder, clock: Clock, random: RandomBytes) {
    this.#folder = folder;
    this.#clock = clock;
    this.#random = random;
  }

  async create(key: string): Promise<Upload> {
    const uploadId = randomHex(this.#random, 16);
    const startedAt = String(this.#clock.now());
    await this.#folder.makeFolders(TEMPORARY);
    await this.#folder.makeFolders(UPLOADS);
    const temporary = this.#folder.at(...TEMPORARY, uploadId);
    await this.#folder.fs.mkdir(temporary);
    const files = { 'upload.json': JSON.stringify({ version: 1, key, startedAt }), data: '', parts: '' };
    for (const [name, content] of Object.entries(files)) {
      await this.#folder.writeNew(`${temporary}/${name}`, content);
    }
    await this.#folder.syncFolder(temporary);
    await this.#folder.fs.rename(temporary, this.#path(uploadId));
    await this.#folder.syncFolder(this.#folder.at(...UPLOADS));
    return { key, uploadId };
  }

  async writePart(
    upload: Upload,
    partNumber: number,
    data: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Receipt> {
    if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS) {
      throw this.#refuse(upload, `part number ${partNumber}, allowed: 1 to ${MAX_PARTS}`);
    }
    await this.#require(upload);
    return this.#withFiles(upload, 'r+', async (content, journal) => {
      const offset = await this.#offsetOf(upload, partNumber, data.byteLength, journal);
      const line = { partNumber, offset, bytes: data.byteLength, crc32: crc32(data) };
      await writeAll(content, data, offset, signal);
      // Bytes before line: a line that survives a power cut must not refer to bytes that did not.
      await content.datasync();
      await writeLine(journal, line);
      await journal.datasync();
      return receiptOf(line);
    });
  }

  async #offsetOf(upload: Upload, partNumber: number, bytes: number, journal: FileHandle): Promise<number> {
    const [before, same, after] = await Promise.all([
      partNumber === 1 ? { offset: 0, bytes: 0 } : readLine(journal, partNumber - 1),
      readLine(journal, partNumber),
      readLine(journal, partNumber + 1),
    ]);
    if (before === undefined) {
      throw this.#refuse(upload, `part ${partNumber} before part ${partNumber - 1}: parts are sent in order`);
    }
    if (same && after && same.bytes !== bytes) {
      throw this.#refuse(upload, `part ${partNumber} of ${bytes} bytes, it already has ${same.bytes}`);
    }
    return before.offset + before.bytes;
  }

  /** The parts with intact bytes, read again from the file. */
  async listParts(upload: Upload, signal?: AbortSignal): Promise<Receipt[]> {
    await this.#require(upload);
    return this.#withFiles(upload, 'r', async (content, journal) => {
      const receipts: Receipt[] = [];
      for (const line of await readLines(journal)) {
        if (!(await hasItsBytes(content, line, signal))) break;
        receipts.push(receiptOf(line));
      }
      return receipts;
    });
  }

  /** Publishes the parts as the object; returns its size. */
  async complete(upload: Upload, parts: readonly Receipt[], overwrite: boolean): Promise<number> {
    if (!(await this.#readHead(upload))) throw await this.#unknown(upload);
    const bytes = await this.#withFiles(upload, 'r+', async (content, journal) => {
      const end = checkReceipts(upload, parts, await readLines(journal));
      const { size } = await content.stat();
      // Never touched once it is the object: a crash may have come between publishing and removing.
      if (size !== end && !(await this.#isPublished(upload))) await content.truncate(end);
      await content.sync();
      return end;
    });
    const data = `${this.#path(upload.uploadId)}/data`;
    await this.#folder.publish(data, keySegments(upload.key), !overwrite);
    await this.abort(upload);
    return bytes;
  }

  #isPublished(upload: Upload): Promise<boolean> {
    const data = `${this.#path(upload.uploadId)}/data`;
    return this.#folder.isSameFile(data, this.#folder.at(...keySegments(upload.key)));
  }

  /** Removes the upload; the first step is a rename, so that a crash leaves no half-removed upload. */
  async abort(upload: Upload): Promise<void> {
    if (!UPLOAD_ID.test(upload.uploadId)) return;
    const debris = this.#folder.at(...TEMPORARY, upload.uploadId);
    await this.#folder.makeFolders(TEMPORARY);
    try {
      await this.#folder.fs.rename(this.#path(upload.uploadId), debris);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    await this.#folder.syncFolder(this.#folder.at(...UPLOADS));
    await this.#folder.fs.rm(debris, { recursive: true, force: true });
  }

  async *list(): AsyncGenerator<Upload & { startedAt: bigint }> {
    await this.#sweep();
    for (const uploadId of (await this.#names(UPLOADS)).sort()) {
      const head = await this.#readHead({ uploadId });
      if (head) yield { key: head.key, uploadId, startedAt: head.startedAt };
    }
  }

  /** Removes temporary names of dead processes. */
  async #sweep(): Promise<void> {
    const { fs } = this.#folder;
    for (const name of await this.#names(TEMPORARY)) {
      const path = this.#folder.at(...TEMPORARY, name);
      const found = await fs.lstat(path).catch(() => undefined);
      if (!found) continue;
      const age = this.#clock.now() - BigInt(Math.floor(found.mtimeMs)) * NS_PER_MS;
      if (age > DEBRIS_AGE_NS) await fs.rm(path, { recursive: true, force: true });
    }
  }

  async #names(segments: readonly string[]): Promise<string[]> {
    try {
      return await this.#folder.fs.readdir(this.#folder.at(...segments));
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      await this.#folder.requirePresent();
      return [];
    }
  }

  #path(uploadId: string): string {
    return this.#folder.at(...UPLOADS, uploadId);
  }

  async #readHead(upload: { uploadId: string; key?: string }): Promise<UploadHead | undefined> {
    // The id comes from a state file and must not be able to name another folder.
    if (!UPLOAD_ID.test(upload.uploadId)) return undefined;
    let text: string;
    try {
      text = await this.#folder.fs.readFile(`${this.#path(upload.uploadId)}/upload.json`, 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
    const head = parseHead(text);
    return upload.key === undefined || head?.key === upload.key ? head : undefined;
  }

  /**
   * Throws `UPLOAD_UNKNOWN`, also for an upload whose bytes already are the object (a crash during
   * completion).
   */
  async #require(upload: Upload): Promise<void> {
    const head = await this.#readHead(upload);
    if (!head) throw await this.#unknown(upload);
    if (await this.#isPublished(upload)) {
      await this.abort(upload);
      throw await this.#unknown(upload);
    }
  }

  async #unknown(upload: Upload): Promise<HoldfastError> {
    await this.#folder.requirePresent();
    return new HoldfastError('UPLOAD_UNKNOWN', `${this.#folder.uri} has no upload ${upload.uploadId}`, {
      facts: { key: upload.key, uploadId: upload.uploadId },
    });
  }

  #refuse(upload: Upload, fault: string): HoldfastError {
    return new HoldfastError('STORE_REJECTED', `upload of ${upload.key}: ${fault}`, {
      facts: { key: upload.key, uploadId: upload.uploadId },
    });
  }

  async #withFiles<T>(
    upload: Upload,
    mode: 'r' | 'r+',
    use: (content: FileHandle, journal: FileHandle) => Promise<T>,
  ): Promise<T> {
    const path = this.#path(upload.uploadId);
    let content: FileHandle | undefined;
    let journal: FileHandle | undefined;
    try {
      try {
        content = await this.#folder.fs.open(`${path}/data`, mode);
        journal = await this.#folder.fs.open(`${path}/parts`, mode);
      } catch (error) {
        // Without hard links, completion renames `data`; a crash after it leaves the rest of the folder.
        if (hasCode(error, 'ENOENT')) throw await this.#unknown(upload);
        throw error;
      }
      return await use(content, journal);
    } finally {
      // Both, even if one fails: a handle left to the garbage collector ends the process on Node.js 26.
      await closeAll([content, journal]);
    }
  }
}

function parseHead(json: string): UploadHead | undefined {
  const head = heads.parseIfValid(json);
  return head && { key: head.key, startedAt: BigInt(head.startedAt) };
}

const heads = documentKind<{ readonly key: string; readonly startedAt: string }>(
  'head of an upload',
  object({ key: text, startedAt: nanoseconds }),
);

/** Checks that the receipts are parts 1 to n as in the file; returns the end offset. */
function checkReceipts(upload: Upload, parts: readonly Receipt[], lines: readonly PartLine[]): number {
  const mismatch = (fault: string): HoldfastError =>
    new HoldfastError('UPLOAD_MISMATCH', `upload of ${upload.key}: ${fault}`, {
      facts: { key: upload.key, uploadId: upload.uploadId },
    });
  if (parts.length === 0) throw mismatch('no parts to assemble');
  let end = 0;
  parts.forEach((part, index) => {
    const line = lines[index];
    const known = line && receiptOf(line);
    if (part.partNumber !== index + 1) throw mismatch(`part ${part.partNumber} at place ${index + 1}`);
    if (!known) throw mismatch(`part ${part.partNumber} is not there`);
    if (known.etag !== part.etag || known.bytes !== part.bytes) {
      throw mismatch(`part ${part.partNumber} is ${known.bytes} bytes ${known.etag}, not ${part.etag}`);
    }
    end = line.offset + line.bytes;
  });
  return end;
}
