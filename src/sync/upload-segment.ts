import { describeError, isHoldfastError, type HoldfastError } from '../core/errors.js';
import { SendingWaits } from './sending-waits.js';
import { SegmentVanished } from './segment-file.js';
import { StoreTrouble } from './store-calls.js';
import { eventOf, isRefusal, overLimit, PARKING } from './upload-errors.js';
import type { UploadHooks, UploadJob, UploadPorts } from './upload-ports.js';
import {
  initialUpload,
  isActive,
  nextUpload,
  park,
  vanish,
  type ActivePhase,
  type UploadEventKind,
  type UploadState,
} from './upload-state.js';
import { UploadSteps } from './upload-steps.js';

export type UploadOutcome =
  | { readonly kind: 'verified' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'parked'; readonly code: string; readonly message: string }
  /** The send policy keeps the rest of it waiting; what was sent stays in the store. */
  | { readonly kind: 'waiting' }
  /** Not now; other segments come first. */
  | { readonly kind: 'deferred'; readonly error: unknown };

/** Runs the upload state machine, phase by phase, until the segment is verified, parked or gone. */
export class SegmentUpload {
  readonly #steps: UploadSteps;
  /** The last answer of the store, if it refused the segment. */
  #lastRefusal: unknown;

  readonly #ports: Pick<UploadPorts, 'attempts' | 'lifetime'>;
  readonly #hooks: Pick<UploadHooks, 'onCollision' | 'onRetry'>;
  readonly #signal: AbortSignal;

  constructor(ports: UploadPorts, job: UploadJob, hooks: UploadHooks, signal: AbortSignal) {
    this.#ports = ports;
    this.#hooks = hooks;
    this.#signal = signal;
    this.#steps = new UploadSteps(ports, job, hooks, signal);
  }

  /** Rejects only if sync ends meanwhile. */
  async run(): Promise<UploadOutcome> {
    let state = initialUpload({ single: true, fresh: false });
    let failures = 0;
    try {
      state = this.#steps.start();
    } catch (error) {
      state = this.#afterError(state, error);
    }
    while (isActive(state.phase)) {
      const before: UploadState = state;
      try {
        const event = await this.#steps.effects[state.phase](state);
        state = nextUpload(state as never, event as never);
        await this.#leave(before, state, event.kind);
      } catch (error) {
        if (this.#ports.lifetime.aborted) throw this.#ports.lifetime.reason;
        if (error instanceof SendingWaits) return { kind: 'waiting' };
        if (this.#steps.progressed) failures = 0;
        this.#steps.progressed = false;
        failures++;
        if (isRefusal(error)) this.#lastRefusal = error instanceof StoreTrouble ? error.cause : error;
        state = this.#afterError(state, error);
        await this.#leave(before, state, 'error');
        if (isActive(state.phase) && failures >= this.#ports.attempts) return { kind: 'deferred', error };
      }
      const fault = overLimit(state, this.#steps.key(state), this.#lastRefusal);
      if (fault) return this.#giveUp(state, fault);
    }
    return this.#outcome(state);
  }

  #afterError(state: UploadState, error: unknown): UploadState {
    if (error instanceof SegmentVanished || this.#signal.aborted) return vanish(state);
    const kind = eventOf(state.phase as ActivePhase, error, state.restarts);
    if (kind) {
      if (error instanceof StoreTrouble) this.#hooks.onRetry(error.cause);
      return nextUpload(state as never, { kind });
    }
    if (isHoldfastError(error) && PARKING.has(error.code)) {
      return park(state, error.code, describeError(error));
    }
    this.#hooks.onRetry(error instanceof StoreTrouble ? error.cause : error);
    return state;
  }

  // An unfinished upload that a step leaves behind would stay in the store, and be charged, for ever.
  async #leave(before: UploadState, after: UploadState, kind: UploadEventKind | 'error'): Promise<void> {
    if (after.suffix !== before.suffix)
      this.#hooks.onCollision(this.#steps.key(before), this.#steps.key(after));
    const dropped = before.upload && !after.upload && kind !== 'completed' && kind !== 'upload-unknown';
    if (dropped) await this.#steps.abort(this.#steps.upload(before));
  }

  async #giveUp(state: UploadState, fault: HoldfastError): Promise<UploadOutcome> {
    if (fault.retryable) return { kind: 'deferred', error: fault };
    return this.#outcome(park(state, fault.code, describeError(fault)));
  }

  async #outcome(state: UploadState): Promise<UploadOutcome> {
    if (state.phase === 'done') return { kind: 'verified' };
    if (state.upload) await this.#steps.abort(this.#steps.upload(state));
    if (state.parked) return { kind: 'parked', ...state.parked };
    return { kind: 'gone' };
  }
}
