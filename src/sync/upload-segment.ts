import { describeError, HoldfastError, isHoldfastError } from '../core/errors.js';
import { encodeManifest, manifestKey, type Manifest } from '../core/manifest.js';
import type { Logger } from '../core/logger.js';
import type { ObjectDigest, Receipt, Upload, Verification } from '../core/store.js';
import type { FileSystem } from '../core/file-system.js';
import { choosePlan, inferPartBytes, planParts } from './part-plan.js';
import type { ProgressRecord } from './progress-record.js';
import { putManifest } from './put-manifest.js';
import { SegmentFile, SegmentVanished } from './segment-file.js';
import { sendParts, type SendPorts } from './send-parts.js';
import { StoreTrouble } from './store-calls.js';
import { eventOf, overLimit, PARKING } from './upload-errors.js';
import {
  initialUpload,
  isActive,
  keyWithSuffix,
  nextUpload,
  park,
  vanish,
  type ActivePhase,
  type OpenUpload,
  type UploadEvent,
  type UploadEventKind,
  type UploadState,
} from './upload-state.js';

export interface UploadPorts extends SendPorts {
  readonly fs: FileSystem;
  readonly logger: Logger;
  readonly sealed: string;
  readonly partBytes: number;
  /** Throws unless the store is (still) the one this data folder knows. */
  readonly checkIdentity: () => Promise<void>;
  /** Aborts only when sync ends; a segment's own signal also when its file vanishes. */
  readonly lifetime: AbortSignal;
}

/** One segment to be brought into the store. */
export interface UploadJob {
  /** The sealed file's name without `.mcap`. */
  readonly name: string;
  readonly manifest: Manifest;
  /** The manifest file's own bytes: what is published. */
  readonly manifestBytes: Buffer;
  /** Sealed while this process was watching: nothing of it can be in the store yet. */
  readonly fresh: boolean;
  /** One of several files without a manifest of their own: it ends verified, and is nobody else's key. */
  readonly bare?: true;
  readonly record?: ProgressRecord;
  /** An unfinished upload the store lists for this key, whose record was lost. */
  readonly found?: Upload;
}

export interface UploadHooks {
  readonly onProgress: (sentBytes: number) => void;
  readonly onSent: (bytes: number) => void;
  readonly onResend: (bytes: number) => void;
  readonly onResumed: () => void;
  readonly onRetry: (error: unknown) => void;
  /** The key was taken by other bytes with a manifest; the segment goes to another one. */
  readonly onCollision: (key: string, newKey: string) => void;
  /** Nothing of the file is left to be read. */
  readonly onAllRead: () => void;
  readonly remember: (record: ProgressRecord, sync: boolean) => Promise<void>;
  readonly recorded: (key: string, verification: Verification) => Promise<void>;
}

export type UploadOutcome =
  | { readonly kind: 'verified' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'parked'; readonly code: string; readonly message: string }
  /** Not now; the others go first. */
  | { readonly kind: 'deferred'; readonly error: unknown };

type Effects = { readonly [P in ActivePhase]: (state: UploadState) => Promise<UploadEvent<P>> };

/** Does what the upload state machine says, phase by phase, until the segment is verified, parked or gone. */
export class SegmentUpload {
  readonly #ports: UploadPorts;
  readonly #job: UploadJob;
  readonly #hooks: UploadHooks;
  readonly #signal: AbortSignal;
  readonly #digest: ObjectDigest;
  /** Parts begun so far, by this process or (as recorded) one before it. */
  #begun = 0;
  #progressed = false;

  constructor(ports: UploadPorts, job: UploadJob, hooks: UploadHooks, signal: AbortSignal) {
    this.#ports = ports;
    this.#job = job;
    this.#hooks = hooks;
    this.#signal = signal;
    const { bytes, sha256, crc32 } = job.manifest.file;
    this.#digest = { bytes, sha256, crc32 };
  }

  /** Rejects only when sync ends meanwhile. */
  async run(): Promise<UploadOutcome> {
    let state = initialUpload({ single: true, fresh: false });
    let failures = 0;
    try {
      state = this.#start();
    } catch (error) {
      state = this.#afterError(state, error);
    }
    while (isActive(state.phase)) {
      const before: UploadState = state;
      try {
        const event = await this.#effects[state.phase](state);
        state = nextUpload(state as never, event as never);
        await this.#leave(before, state, event.kind);
      } catch (error) {
        if (this.#ports.lifetime.aborted) throw this.#ports.lifetime.reason;
        if (this.#progressed) failures = 0;
        this.#progressed = false;
        failures++;
        state = this.#afterError(state, error);
        await this.#leave(before, state, 'error');
        if (isActive(state.phase) && failures >= this.#ports.attempts) return { kind: 'deferred', error };
      }
      const fault = overLimit(state, this.#key(state));
      if (fault) return this.#giveUp(state, fault);
    }
    return this.#outcome(state);
  }

  #start(): UploadState {
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
    // Part size 0: to be told from the parts the store has.
    if (found) return initialUpload({ single, fresh: false, upload: { ...found, partBytes: 0 } });
    return initialUpload({ single, fresh });
  }

  #plan(): ReturnType<typeof choosePlan> {
    return choosePlan(this.#digest.bytes, this.#ports.partBytes, this.#ports.store.limits);
  }

  #key(state: UploadState): string {
    return keyWithSuffix(this.#job.manifest.key, state.suffix);
  }

  #upload(state: UploadState): Upload & OpenUpload {
    if (!state.upload) throw new HoldfastError('INTERNAL', `phase ${state.phase} without an upload`);
    return { key: this.#key(state), ...state.upload };
  }

  readonly #effects: Effects = {
    looking: async (state) => {
      const found = await this.#call('look for', state, (signal, key) =>
        this.#ports.store.head(key, { signal }),
      );
      return { kind: found ? 'present' : 'absent' };
    },
    comparing: (state) => this.#compare(state),
    sending: (state) => this.#sendWhole(state),
    creating: async (state) => {
      // A store that forgot an upload may be another disk under the same path.
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
        this.#ports.store.completeUpload(this.#upload(state), state.parts ?? [], {
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
      await this.#hooks.recorded(this.#key(state), state.verification ?? 'read-back');
      return { kind: 'recorded' };
    },
  };

  #call<T>(
    verb: string,
    state: UploadState,
    run: (signal: AbortSignal, key: string) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    const key = this.#key(state);
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
    const manifest = await this.#call('look for the manifest of', state, (signal, key) =>
      this.#ports.store.head(manifestKey(key), { signal }),
    );
    return { kind: manifest ? 'differs-published' : 'differs-bare' };
  }

  async #sendWhole(state: UploadState): Promise<UploadEvent<'sending'>> {
    const { bytes } = this.#digest;
    const buffer = await this.#ports.buffers.take(bytes, this.#signal);
    const { data } = buffer;
    try {
      const file = await SegmentFile.open(this.#ports.fs, this.#ports.sealed, this.#job.manifest.file);
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
          (signal, key) => this.#ports.store.put(key, data, { signal, ifAbsent: !state.overwrite }),
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

  async #resume(state: UploadState): Promise<UploadEvent<'resuming'>> {
    const upload = this.#upload(state);
    const parts = await this.#call('list parts of', state, (signal) =>
      this.#ports.store.listParts(upload, { signal }),
    );
    if (upload.partBytes > 0) return { kind: 'listed', parts };
    const partBytes = parts.length === 0 ? this.#plan().partBytes : inferPartBytes(this.#digest.bytes, parts);
    if (partBytes === undefined) {
      await this.#abort(upload);
      return { kind: 'upload-unknown' };
    }
    const open = { uploadId: upload.uploadId, partBytes };
    await this.#remember(state, open, true);
    return { kind: 'listed', upload: open, parts };
  }

  async #sendParts(state: UploadState): Promise<Receipt[]> {
    const upload = this.#upload(state);
    const plan = planParts(this.#digest.bytes, upload.partBytes);
    let progress = 0;
    const advance = (bytes: number): void => {
      progress += bytes;
      this.#hooks.onProgress(progress);
    };
    if ((state.parts ?? []).length > 0) this.#hooks.onResumed();
    const file = await SegmentFile.open(this.#ports.fs, this.#ports.sealed, this.#job.manifest.file);
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
            this.#progressed = true;
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
      manifestKey(this.#key(state)),
      this.#manifestBytes(state),
      (existing) => {
        // Torn by a store that does not write atomically, or a tombstone that came too early.
        if (!existing) return 'replace';
        if (existing.segment.id !== manifest.segment.id || existing.robot !== manifest.robot) return 'taken';
        if (existing.evicted) return 'replace';
        return existing.file.sha256 === manifest.file.sha256 ? 'replace' : 'taken';
      },
      this.#signal,
    );
    return { kind };
  }

  #manifestBytes(state: UploadState): Buffer {
    if (state.suffix === 0) return this.#job.manifestBytes;
    return Buffer.from(encodeManifest({ ...this.#job.manifest, key: this.#key(state) }));
  }

  /** The last look before the local copy may go: it is the right store, and it has the manifest whole. */
  async #confirm(state: UploadState): Promise<UploadEvent<'confirming'>> {
    if (this.#job.bare) return { kind: 'confirmed' };
    await this.#identify();
    const manifest = await this.#call('confirm', state, (signal, key) =>
      this.#ports.store.head(manifestKey(key), { signal }),
    );
    const isWhole = manifest?.bytes === this.#manifestBytes(state).length;
    return { kind: isWhole ? 'confirmed' : 'unconfirmed' };
  }

  #remember(state: UploadState, upload: OpenUpload, sync: boolean): Promise<void> {
    return this.#hooks.remember(
      {
        state: 'uploading',
        suffix: state.suffix,
        uri: this.#ports.store.uri,
        key: this.#key(state),
        uploadId: upload.uploadId,
        partBytes: upload.partBytes,
        started: this.#begun,
      },
      sync,
    );
  }

  #afterError(state: UploadState, error: unknown): UploadState {
    if (error instanceof SegmentVanished || this.#signal.aborted) return vanish(state);
    const kind = eventOf(state.phase as ActivePhase, error, state.restarts);
    if (kind) {
      if (error instanceof StoreTrouble) this.#hooks.onRetry(error.cause);
      return nextUpload(state as never, { kind } as never);
    }
    if (isHoldfastError(error) && PARKING.has(error.code)) {
      return park(state, error.code, describeError(error));
    }
    this.#hooks.onRetry(error instanceof StoreTrouble ? error.cause : error);
    return state;
  }

  // Whatever upload a step leaves behind unfinished would be stored, and paid for, for ever.
  async #leave(before: UploadState, after: UploadState, kind: UploadEventKind | 'error'): Promise<void> {
    if (after.suffix !== before.suffix) this.#hooks.onCollision(this.#key(before), this.#key(after));
    const dropped = before.upload && !after.upload && kind !== 'completed' && kind !== 'upload-unknown';
    if (dropped) await this.#abort(this.#upload(before));
  }

  async #giveUp(state: UploadState, fault: HoldfastError): Promise<UploadOutcome> {
    if (fault.retryable) return { kind: 'deferred', error: fault };
    return this.#outcome(park(state, fault.code, describeError(fault)));
  }

  async #outcome(state: UploadState): Promise<UploadOutcome> {
    if (state.phase === 'done') return { kind: 'verified' };
    if (state.upload) await this.#abort(this.#upload(state));
    if (state.parked) return { kind: 'parked', ...state.parked };
    return { kind: 'gone' };
  }

  async #abort(upload: Upload): Promise<void> {
    const { calls, store, lifetime, logger } = this.#ports;
    try {
      await calls.within(`abort upload of ${upload.key}`, 0, lifetime, (signal) =>
        store.abortUpload({ key: upload.key, uploadId: upload.uploadId }, { signal }),
      );
    } catch (error) {
      if (lifetime.aborted) throw lifetime.reason;
      logger.warn('upload not aborted; the sweep will', { key: upload.key, error: describeError(error) });
    }
  }
}
