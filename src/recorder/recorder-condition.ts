import type { RecorderStatus } from '../core/status.js';

export type RecorderState = RecorderStatus['state'];

/** The state of a recorder; pauses and stalls are added to `recording`. */
type Activity = Exclude<RecorderState, 'paused' | 'stalled'>;

/**
 * The present state of the recorder, and the reason why it does not record more. Reports each change once.
 */
export class RecorderCondition {
  #activity: Activity;
  #isPaused = false;
  #resumed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #stall: string | undefined;
  #told: string;

  readonly #tell: (state: RecorderState, reason: string | undefined) => void;

  constructor(activity: Activity, tell: (state: RecorderState, reason: string | undefined) => void) {
    this.#tell = tell;
    this.#activity = activity;
    this.#told = this.#fingerprint();
  }

  get state(): RecorderState {
    if (this.#activity !== 'recording') return this.#activity;
    if (this.#isPaused) return 'paused';
    return this.#stall === undefined ? 'recording' : 'stalled';
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  set paused(paused: boolean) {
    this.#isPaused = paused;
    if (!paused) {
      this.#resumed?.resolve();
      this.#resumed = undefined;
    }
    this.#changed();
  }

  /** Resolves when the recorder is no longer paused. */
  whenResumed(): Promise<void> {
    if (!this.#isPaused) return Promise.resolve();
    if (!this.#resumed) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.#resumed = { promise, resolve };
    }
    return this.#resumed.promise;
  }

  /** Why commits wait, or why the last transition failed, in words; undefined: neither applies. */
  get stalledReason(): string | undefined {
    return this.#stall;
  }

  set stalledReason(reason: string | undefined) {
    this.#stall = reason;
    this.#changed();
  }

  enter(activity: Activity): void {
    this.#activity = activity;
    this.#changed();
  }

  #changed(): void {
    const now = this.#fingerprint();
    if (now === this.#told) return;
    this.#told = now;
    this.#tell(this.state, this.#stall);
  }

  #fingerprint(): string {
    return `${this.state} ${this.#stall ?? ''}`;
  }
}
