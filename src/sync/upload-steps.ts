import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import { encodeManifest, isSameApartFromKeys, localFileName, manifestKey } from '../core/manifest.js';
import type { StoreAnswer } from '../core/receipt-file.js';
import type { ObjectDigest, Receipt, Upload } from '../core/store.js';
import { askForSegment } from './ask-store.js';
import { deletedInStore, segmentDeleted } from './deleted-in-store.js';
import { choosePlan, inferPartBytes, planParts } from './part-plan.js';
import { putManifest, readObject } from './put-manifest.js';
import { SegmentFile } from './segment-file.js';
import type { SegmentSource } from './segment-source.js';
import { sendParts } from './send-parts.js';
import type { UploadHooks, UploadJob, UploadPorts } from './upload-ports.js';
import {
  initialUpload,
  keyWithSuffix,
  type ActivePhase,
  type OpenUpload,
  type UploadEvent,
  type UploadState,
} from './upload-state.js';

type Effects = { readonly [P in ActivePhase]: (state: UploadState) => Promise<UploadEvent<P>> };

/** The calls to the store in each phase of the upload state machine, and the resulting event. */
export class UploadSteps {
  readonly #ports: UploadPorts;
  readonly #job: UploadJob;
  readonly #hooks: UploadHooks;
  readonly #signal: AbortSignal;
  readonly #digest: ObjectDigest;
  /** Number of parts begun so far, by this process or (as recorded) an earlier one. */
  #begun = 0;
  /** Whether a part arrived since this was last set to false. */
  progressed = false;
  #answer: StoreAnswer | undefined;

  constructor(ports: UploadPorts, job: UploadJob, hooks: UploadHooks, signal: AbortSignal) {
    this.#ports = ports;
    this.#job = job;
    this.#hooks = hooks;
    this.#signal = signal;
    const { bytes, sha256, crc32 } = job.manifest.file;
    this.#digest = { bytes, sha256, crc32 };
  }

  /** The first state of this segment, derived from the records of an earlier process. */
  start(): UploadState {
    const { record, fresh, found, manifest } = this.#job;
    const plan = this.#plan();
    const single = plan.count === 1 && (this.#ports.store.supports.conditionalPut || plan.bytes === 0);
    if (record?.state === 'uploading' && record.key === keyWithSuffix(manifest.key, record.suffix)) {
      this.#begun = record.started;
      const upload = { uploadId: record.uploadId, partBytes: record.partBytes };
      return initialUpload({ single, fresh: false, suffix: record.suffix, upload });
    }
    if (record?.state === 'sending') {
      this.#begun = 1;
      return initialUpload({ single, fresh: false, suffix: record.suffix });
    }
    // Part size 0 means: derive it from the parts in the store.
    if (found) return initialUpload({ single, fresh: false, upload: { ...found, partBytes: 0 } });
    return initialUpload({ single, fresh });
  }

  #plan(): ReturnType<typeof choosePlan> {
    return choosePlan(this.#digest.bytes, this.#ports.partBytes, this.#ports.store.limits);
  }

  key(state: UploadState): string {
    return keyWithSuffix(this.#job.manifest.key, state.suffix);
  }

  upload(state: UploadState): Upload & OpenUpload {
    if (!state.upload) throw new HoldfastError('INTERNAL', `phase ${state.phase} without an upload`);
    return { key: this.key(state), ...state.upload };
  }

  /** The work of each phase; the event reports the result. */
  readonly effects: Effects = {
    looking: async (state) => {
      const found = await this.#call('look for', state, (signal, key) =>
        this.#ports.store.head(key, { signal }),
      );
      if (!found) await this.#refuseDeleted(state);
      return { kind: found ? 'present' : 'absent' };
    },
    comparing: (state) => this.#compare(state),
    sending: (state) => this.#sendWhole(state),
    creating: async (state) => {
      // A store that does not know the upload any more may be another disk under the same path.
      if (state.restarts > 0) await this.#identify();
      const { partBytes } = this.#plan();
      const { uploadId } = await this.#call('begin upload of', state, (signal, key) =>
        this.#ports.store.createUpload(key, { signal }),
      );
      const upload = { uploadId, partBytes };
      await this.#remember(state, upload, true);
      return { kind: 'created', upload, parts: [] };
    },
    resuming: (state) => this.#resume(state),
    uploading: async (state) => ({ kind: 'parts-sent', parts: await this.#sendParts(state) }),
    completing: async (state) => {
      await this.#call('complete', state, (signal) =>
        this.#ports.store.completeUpload(this.upload(state), state.parts ?? [], {
          signal,
          overwrite: state.overwrite,
        }),
      );
      return { kind: 'completed' };
    },
    verifying: async (state) => {
      const verification = await this.#call(
        'verify',
        state,
        (signal, key) => this.#ports.store.verify(key, this.#digest, { signal }),
        this.#digest.bytes,
      );
      return { kind: 'verified', verification };
    },
    publishing: (state) => this.#publish(state),
    confirming: (state) => this.#confirm(state),
    recording: async (state) => {
      await this.#hooks.recorded(this.key(state), state.verification ?? 'read-back', this.#answer);
      return { kind: 'recorded' };
    },
  };

  #call<T>(
    verb: string,
    state: UploadState,
    run: (signal: AbortSignal, key: string) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    const key = this.key(state);
    return this.#ports.calls.call(`${verb} ${key}`, bytes, this.#signal, (signal) => run(signal, key));
  }

  #identify(): Promise<void> {
    return this.#ports.calls.call('check the store id', 0, this.#signal, () => this.#ports.checkIdentity());
  }

  async #compare(state: UploadState): Promise<UploadEvent<'comparing'>> {
    try {
      const verification = await this.#call(
        'compare',
        state,
        (signal, key) => this.#ports.store.verify(key, this.#digest, { signal }),
        this.#digest.bytes,
      );
      return { kind: 'same', verification };
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return { kind: 'absent' };
      if (!isHoldfastError(error, 'OBJECT_CORRUPT')) throw error;
    }
    if (this.#job.bare) return { kind: 'differs-bare' };
    const published = await readObject(this.#ports, manifestKey(this.key(state)), this.#signal);
    // Beside its own manifest, an object with other bytes is a damaged copy and belongs to no other segment.
    const isOwn = published !== undefined && this.#isOwnManifest(published, state);
    return { kind: published && !isOwn ? 'differs-published' : 'differs-bare' };
  }

  async #sendWhole(state: UploadState): Promise<UploadEvent<'sending'>> {
    const { bytes } = this.#digest;
    this.#ports.gate.check(bytes);
    const buffer = await this.#ports.buffers.take(bytes, this.#signal);
    const { data } = buffer;
    try {
      const file = await this.#open();
      try {
        await file.read(data);
        file.finish();
      } finally {
        await file[Symbol.asyncDispose]();
      }
      this.#hooks.onAllRead();
      if (this.#begun > 0) this.#hooks.onResend(bytes);
      this.#begun = 1;
      await this.#hooks.remember({ state: 'sending', suffix: state.suffix }, false);
      await this.#ports.bandwidth.take(bytes, this.#signal);
      await this.#ports.window.send(bytes, this.#signal, () =>
        this.#call(
          'send',
          state,
          async (signal, key) => {
            await this.#ports.gate.take(bytes);
            return this.#ports.store.put(key, data, { signal, ifAbsent: !state.overwrite });
          },
          bytes,
        ),
      );
      buffer.release(true);
      this.#hooks.onSent(bytes);
      this.#hooks.onProgress(bytes);
      return { kind: 'sent' };
    } finally {
      buffer.release(false);
    }
  }

  #open(): Promise<SegmentSource> {
    const { open, manifest } = this.#job;
    if (open) return open();
    // What was encrypted when it was sealed is sent as it is.
    const file = { ...manifest.file, name: localFileName(manifest) };
    return SegmentFile.open(this.#ports.fs, this.#ports.sealed, file);
  }

  async #resume(state: UploadState): Promise<UploadEvent<'resuming'>> {
    const upload = this.upload(state);
    const parts = await this.#call('list parts of', state, (signal) =>
      this.#ports.store.listParts(upload, { signal }),
    );
    if (upload.partBytes > 0) return { kind: 'listed', parts };
    const partBytes = parts.length === 0 ? this.#plan().partBytes : inferPartBytes(this.#digest.bytes, parts);
    if (partBytes === undefined) {
      await this.abort(upload);
      return { kind: 'upload-unknown' };
    }
    const open = { uploadId: upload.uploadId, partBytes };
    await this.#remember(state, open, true);
    return { kind: 'listed', upload: open, parts };
  }

  async #sendParts(state: UploadState): Promise<Receipt[]> {
    const upload = this.upload(state);
    const plan = planParts(this.#digest.bytes, upload.partBytes);
    let progress = 0;
    const advance = (bytes: number): void => {
      progress += bytes;
      this.#hooks.onProgress(progress);
    };
    if ((state.parts ?? []).length > 0) this.#hooks.onResumed();
    const file = await this.#open();
    try {
      const begun = this.#begun;
      return await sendParts(
        this.#ports,
        { upload, plan, file, have: state.parts ?? [], begun },
        {
          onBegin: (partNumber) => {
            if (partNumber <= this.#begun) return;
            this.#begun = partNumber;
            void this.#remember(state, upload, false);
          },
          onSent: (bytes) => {
            this.progressed = true;
            this.#hooks.onSent(bytes);
            advance(bytes);
          },
          onPresent: advance,
          onResend: this.#hooks.onResend,
          onAllRead: this.#hooks.onAllRead,
        },
        this.#signal,
      );
    } finally {
      await file[Symbol.asyncDispose]();
    }
  }

  async #publish(state: UploadState): Promise<UploadEvent<'publishing'>> {
    const { manifest, bare } = this.#job;
    if (bare) return { kind: 'published' };
    const kind = await putManifest(
      this.#ports,
      manifestKey(this.key(state)),
      this.#manifestBytes(state),
      (existing) => {
        // Torn by a store that does not write atomically, or by a tombstone that came too early.
        if (!existing) return 'replace';
        if (existing.segment.id !== manifest.segment.id || existing.robot !== manifest.robot) return 'taken';
        if (existing.deleted) throw segmentDeleted(this.key(state), existing.deleted);
        if (existing.evicted) return 'replace';
        // Its wrapped keys may have been rotated since: they are newer than those of this robot.
        if (this.#isOwnManifest(Buffer.from(encodeManifest(existing)), state)) return 'accept';
        return existing.file.sha256 === manifest.file.sha256 ? 'replace' : 'taken';
      },
      this.#signal,
    ).catch(async (error: unknown) => {
      // Deleted from the store on request, before or while it was sent. The sent parts go too.
      if (isHoldfastError(error, 'SEGMENT_DELETED')) await this.#takeBack(state);
      throw error;
    });
    return { kind };
  }

  #takeBack(state: UploadState): Promise<void> {
    return this.#call('remove', state, (signal, key) => this.#ports.store.delete(key, { signal }));
  }

  async #refuseDeleted(state: UploadState): Promise<void> {
    if (this.#job.bare) return;
    const deleted = await deletedInStore(this.#ports, this.key(state), this.#signal);
    if (deleted) throw segmentDeleted(this.key(state), deleted);
  }

  /** The same manifest, apart from wrapped keys. */
  #isOwnManifest(published: Buffer, state: UploadState): boolean {
    const own = this.#manifestBytes(state);
    return published.equals(own) || isSameApartFromKeys(published, own);
  }

  #manifestBytes(state: UploadState): Buffer {
    if (state.suffix === 0) return this.#job.manifestBytes;
    return Buffer.from(encodeManifest({ ...this.#job.manifest, key: this.key(state) }));
  }

  /** The first complete check: the store is the right one, and it has the object and the manifest. */
  async #confirm(state: UploadState): Promise<UploadEvent<'confirming'>> {
    const { manifest, manifestBytes, bare } = this.#job;
    if (bare) return { kind: 'confirmed' };
    const segment = { manifest, manifestBytes, key: this.key(state) };
    this.#answer = await askForSegment(this.#ports, segment, this.#signal);
    return { kind: this.#answer.answer === 'held' ? 'confirmed' : 'unconfirmed' };
  }

  #remember(state: UploadState, upload: OpenUpload, sync: boolean): Promise<void> {
    return this.#hooks.remember(
      {
        state: 'uploading',
        suffix: state.suffix,
        uri: this.#ports.store.uri,
        key: this.key(state),
        uploadId: upload.uploadId,
        partBytes: upload.partBytes,
        started: this.#begun,
      },
      sync,
    );
  }

  /** Rejects only when sync ends. */
  async abort(upload: Upload): Promise<void> {
    const { calls, store, lifetime, logger } = this.#ports;
    try {
      await calls.within(`abort upload of ${upload.key}`, 0, lifetime, (signal) =>
        store.abortUpload({ key: upload.key, uploadId: upload.uploadId }, { signal }),
      );
    } catch (error) {
      if (lifetime.aborted) throw lifetime.reason;
      logger.warn('cannot abort the upload; the sweep aborts it later', {
        key: upload.key,
        error: describeError(error),
      });
    }
  }
}
