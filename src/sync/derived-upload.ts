import { join, relative } from 'node:path';
import { makeDirectoryDurably } from '../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import type { Manifest } from '../core/manifest.js';
import type { Derived, DerivedFile, SegmentDeriver } from '../core/segment-deriver.js';
import type { StoreAnswer } from '../core/receipt-file.js';
import type { Verification } from '../core/store.js';
import { askForDerived } from './ask-store.js';
import { putMarker, readObject } from './put-manifest.js';
import { SegmentFile, SegmentVanished } from './segment-file.js';
import { StoreTrouble } from './store-calls.js';
import { PARKING } from './upload-errors.js';
import { SegmentUpload, type UploadOutcome } from './upload-segment.js';
import type { UploadHooks, UploadJob, UploadPorts } from './upload-ports.js';

const READ_BYTES = 1024 * 1024;

/**
 * Uploads the files made of one segment, with the protocol of a sealed file. First the files, each verified.
 * Then, if it is missing, the marker that lists them. Then it checks the store's id and the marker once more,
 * and writes the receipt. The same segment gives the same files, so every step may be repeated, and an
 * existing marker means that nothing is left to do.
 */
export class DerivedUpload {
  readonly #ports: UploadPorts;
  readonly #deriver: SegmentDeriver;
  readonly #scratch: string;
  readonly #job: UploadJob;
  readonly #hooks: UploadHooks;
  readonly #signal: AbortSignal;
  #derived: Derived | undefined;
  readonly #verified = new Map<string, Verification>();

  constructor(
    ports: UploadPorts,
    deriver: SegmentDeriver,
    scratch: string,
    job: UploadJob,
    hooks: UploadHooks,
    signal: AbortSignal,
  ) {
    this.#ports = ports;
    this.#deriver = deriver;
    this.#scratch = scratch;
    this.#job = job;
    this.#hooks = hooks;
    this.#signal = signal;
  }

  /** Rejects only if sync ends meanwhile. */
  async run(): Promise<UploadOutcome> {
    const { fs, lifetime, attempts } = this.#ports;
    try {
      for (let failures = 1; ; failures++) {
        try {
          return await this.#bring();
        } catch (error) {
          if (lifetime.aborted) throw lifetime.reason;
          if (error instanceof SegmentVanished || this.#signal.aborted) return { kind: 'gone' };
          if (isHoldfastError(error) && PARKING.has(error.code)) {
            return { kind: 'parked', code: error.code, message: describeError(error) };
          }
          this.#hooks.onRetry(error instanceof StoreTrouble ? error.cause : error);
          if (!(error instanceof StoreTrouble) || failures >= attempts) return { kind: 'deferred', error };
        }
      }
    } finally {
      await fs.rm(this.#scratch, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  async #bring(): Promise<UploadOutcome> {
    const { manifest, manifestBytes, fresh } = this.#job;
    const key = this.#deriver.markerKey(manifest);
    const ask = (): Promise<StoreAnswer> =>
      askForDerived(
        this.#ports,
        this.#deriver,
        { manifest, manifestBytes, key },
        new Set(this.#verified.keys()),
        this.#signal,
      );
    // A marker means that its files were there once.
    let answer = fresh ? undefined : await ask();
    if (answer?.answer !== 'held') {
      if (answer?.answer === 'differs') await this.#refuseDeleted(key);
      this.#derived ??= await this.#derive();
      const { files, marker } = this.#derived;
      for (const file of files) {
        if (this.#verified.has(file.key)) continue;
        const outcome = await this.#send(file);
        if (outcome.kind !== 'verified') return outcome;
      }
      const refused = await this.#publish(marker.key, Buffer.from(marker.text));
      if (refused) return refused;
      answer = await ask();
      if (answer.answer !== 'held') {
        return {
          kind: 'deferred',
          error: new HoldfastError('OBJECT_MISSING', `${key} or a file of it is gone`),
        };
      }
    }
    const ways = [...this.#verified.values()];
    // The result of one read-back holds for all.
    const isSummed = ways.length > 0 && ways.every((way) => way === 'store-checksum');
    await this.#hooks.recorded(key, isSummed ? 'store-checksum' : 'read-back', answer);
    return { kind: 'verified' };
  }

  async #refuseDeleted(key: string): Promise<void> {
    const found = await readObject(this.#ports, key, this.#signal);
    if (found && this.#deriver.judge(found, this.#job.manifest) === 'deleted') throw markerDeleted(key);
  }

  async #derive(): Promise<Derived> {
    const { fs, sealed } = this.#ports;
    const { manifest } = this.#job;
    if (manifest.encryption) throw unreadable(manifest.file.name);
    await this.#check(manifest);
    await fs.rm(this.#scratch, { recursive: true, force: true });
    await makeDirectoryDurably(fs, this.#scratch);
    const path = join(sealed, manifest.file.name);
    return this.#deriver.derive(path, manifest, this.#scratch, this.#signal);
  }

  /** The files are made of exactly what was sealed: this costs one more read, at the speed of the disk. */
  async #check(manifest: Manifest): Promise<void> {
    const { fs, sealed } = this.#ports;
    await using file = await SegmentFile.open(fs, sealed, manifest.file);
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let left = manifest.file.bytes; left > 0; left -= READ_BYTES) {
      this.#signal.throwIfAborted();
      await file.read(buffer.subarray(0, Math.min(left, READ_BYTES)));
    }
    file.finish();
  }

  #send(file: DerivedFile): Promise<UploadOutcome> {
    const { manifest, fresh, record, name } = this.#job;
    const { key, path, bytes, sha256, crc32 } = file;
    const at = relative(this.#scratch, path);
    const job: UploadJob = {
      name,
      manifest: { ...manifest, key, file: { ...manifest.file, name: at, bytes, sha256, crc32 } },
      manifestBytes: Buffer.alloc(0),
      fresh,
      bare: true,
      ...(record?.state === 'uploading' && record.key === key ? { record } : {}),
    };
    const hooks: UploadHooks = {
      ...this.#hooks,
      onAllRead: () => undefined,
      recorded: (_key, verification) => {
        this.#verified.set(key, verification);
        return Promise.resolve();
      },
    };
    const ports = { ...this.#ports, sealed: this.#scratch };
    return new SegmentUpload(ports, job, hooks, this.#signal).run();
  }

  async #takeBack(): Promise<void> {
    const { calls, store } = this.#ports;
    for (const { key } of this.#derived?.files ?? []) {
      await calls.call(`remove ${key}`, 0, this.#signal, (within) => store.delete(key, { signal: within }));
      this.#verified.delete(key);
    }
  }

  async #publish(key: string, data: Buffer): Promise<UploadOutcome | undefined> {
    const { manifest } = this.#job;
    const outcome = await putMarker(
      this.#ports,
      key,
      data,
      (existing) => {
        const verdict = this.#deriver.judge(existing, manifest);
        if (verdict === 'other') return 'taken';
        if (verdict === 'deleted') throw markerDeleted(key);
        return verdict === 'complete' ? 'accept' : 'replace';
      },
      this.#signal,
    ).catch(async (error: unknown) => {
      // Deleted from the store on request while the files were sent: they go too.
      if (isHoldfastError(error, 'SEGMENT_DELETED')) await this.#takeBack();
      throw error;
    });
    if (outcome !== 'taken') return undefined;
    return { kind: 'parked', code: 'OBJECT_EXISTS', message: `${key} holds something else` };
  }
}

/** Parks the segment. */
function unreadable(name: string): HoldfastError {
  return new HoldfastError(
    'IDENTITY_MISSING',
    `${name} was encrypted when it was sealed (encryption.recipients), so no process of this robot can make files ` +
      'of its content. Make them where an identity is, with holdfast export, or remove this sink',
    { facts: { name } },
  );
}

/** Parks the segment. */
function markerDeleted(key: string): HoldfastError {
  return new HoldfastError(
    'SEGMENT_DELETED',
    `what ${key} lists was deleted from the store on request and is not uploaded again; delete it here too`,
    { facts: { key } },
  );
}
