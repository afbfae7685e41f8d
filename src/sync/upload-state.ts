import type { Receipt, Verification } from '../core/store.js';

/**
 * The upload of one segment, as a pure state machine. `upload-steps.ts` acts on the phase and reports one
 * event. The order is object, verification, manifest, local receipt. A crash between two steps is safe,
 * because repeating the earlier step changes nothing.
 *
 *     looking ─> comparing                       (is it there already?)
 *     sending                                    (whole, in one call)
 *     creating ─> uploading ─> completing        (in parts; resuming ─> uploading after a restart)
 *     ─> verifying ─> publishing ─> confirming ─> recording ─> done
 */
export interface UploadState {
  readonly phase: UploadPhase;
  /** 0: the key in the manifest. n: `<segment>~n.mcap`, because other bytes were published at the key. */
  readonly suffix: number;
  /** The object at the key is wrong and not published. */
  readonly overwrite: boolean;
  /** The whole file fits in one call. */
  readonly single: boolean;
  readonly upload?: OpenUpload;
  readonly parts?: readonly Receipt[];
  readonly verification?: Verification;
  /** Number of times the object was started again in this turn. */
  readonly restarts: number;
  /** Number of times the store had other bytes than the bytes sent. */
  readonly corruptions: number;
  readonly parked?: { readonly code: string; readonly message: string };
}

export interface OpenUpload {
  readonly uploadId: string;
  readonly partBytes: number;
}

/** Events that each phase may report; the table below is complete for exactly these. */
interface PhaseEvents {
  looking: 'absent' | 'present';
  comparing: 'same' | 'absent' | 'differs-bare' | 'differs-published';
  sending: 'sent' | 'unsure' | 'exists' | 'conflict';
  creating: 'created';
  resuming: 'listed' | 'upload-unknown';
  uploading: 'parts-sent' | 'interrupted' | 'upload-unknown';
  completing: 'completed' | 'exists' | 'conflict' | 'upload-unknown' | 'parts-refused';
  verifying: 'verified' | 'missing' | 'corrupt';
  publishing: 'published' | 'taken';
  confirming: 'confirmed' | 'unconfirmed';
  recording: 'recorded';
}

export type ActivePhase = keyof PhaseEvents;
export type UploadPhase = ActivePhase | 'done' | 'parked' | 'gone';
export type UploadEventKind = PhaseEvents[ActivePhase];

/** Facts that an effect reports beside the event. */
export interface UploadFacts {
  readonly upload?: OpenUpload;
  readonly parts?: readonly Receipt[];
  readonly verification?: Verification;
}

export interface UploadEvent<P extends ActivePhase = ActivePhase> extends UploadFacts {
  readonly kind: PhaseEvents[P];
}

type Step = (state: UploadState, facts: UploadFacts) => UploadState;

export function initialUpload(start: {
  readonly single: boolean;
  /** No part of it can be in the store yet. */
  readonly fresh: boolean;
  readonly suffix?: number;
  readonly upload?: OpenUpload;
}): UploadState {
  const state: UploadState = {
    phase: 'looking',
    suffix: start.suffix ?? 0,
    overwrite: false,
    single: start.single,
    restarts: 0,
    corruptions: 0,
    ...(start.upload ? { upload: start.upload } : {}),
  };
  return start.fresh || start.upload ? begin(state) : state;
}

const to =
  (phase: UploadPhase): Step =>
  (state) => ({ ...state, phase });

/** The state without its upload, which is complete, unknown to the store, or for another key. */
function forgetUpload(state: UploadState): UploadState {
  const { upload: _upload, parts: _parts, ...rest } = state;
  return rest;
}

/** The first phase of sending the bytes, from the known facts. */
function begin(state: UploadState): UploadState {
  if (state.upload) return { ...state, phase: 'resuming' };
  return { ...state, phase: state.single ? 'sending' : 'creating' };
}

const again: Step = (state) => ({ ...forgetUpload(state), phase: 'looking', restarts: state.restarts + 1 });
const published: Step = (state) => ({ ...forgetUpload(state), phase: 'publishing' });
const otherKey: Step = (state) => ({
  ...forgetUpload(state),
  phase: 'looking',
  suffix: state.suffix + 1,
  overwrite: false,
});
function replace(state: UploadState): UploadState {
  return begin({ ...state, overwrite: true, restarts: state.restarts + 1 });
}

type Row<P extends ActivePhase> = { readonly [E in PhaseEvents[P]]: Step };

/** Exported for the test of the table. */
export const uploadTable: { readonly [P in ActivePhase]: Row<P> } = {
  looking: { absent: begin, present: to('comparing') },
  comparing: {
    same: published,
    // The store refused the object as existing, but does not have it. Counted, or the two phases would
    // alternate for ever.
    absent: (state) => begin({ ...state, restarts: state.restarts + 1 }),
    'differs-bare': replace,
    'differs-published': otherKey,
  },
  sending: {
    sent: to('verifying'),
    // The object may have arrived without an answer, so the store is asked before the object is sent again.
    unsure: to('looking'),
    exists: to('comparing'),
    conflict: again,
  },
  creating: { created: (state, facts) => ({ ...state, ...facts, phase: 'uploading' }) },
  resuming: {
    listed: (state, facts) => ({ ...state, ...facts, phase: 'uploading' }),
    'upload-unknown': again,
  },
  uploading: {
    'parts-sent': (state, facts) => ({ ...state, ...facts, phase: 'completing' }),
    interrupted: to('resuming'),
    'upload-unknown': again,
  },
  completing: {
    completed: (state) => ({ ...forgetUpload(state), phase: 'verifying' }),
    exists: to('comparing'),
    conflict: again,
    // Completed by a call whose answer was lost, or aborted by another client: the object shows which.
    'upload-unknown': again,
    'parts-refused': (state) => ({ ...state, phase: 'resuming', restarts: state.restarts + 1 }),
  },
  verifying: {
    verified: (state, facts) => ({ ...state, ...facts, phase: 'publishing' }),
    missing: again,
    corrupt: (state) => replace({ ...state, corruptions: state.corruptions + 1 }),
  },
  publishing: { published: to('confirming'), taken: otherKey },
  confirming: { confirmed: to('recording'), unconfirmed: again },
  recording: { recorded: to('done') },
};

export function isActive(phase: UploadPhase): phase is ActivePhase {
  return phase in uploadTable;
}

/** The state after an event of the state's own phase. */
export function nextUpload<P extends ActivePhase>(
  state: UploadState & { readonly phase: P },
  event: UploadEvent<P>,
): UploadState {
  const { kind, ...facts } = event;
  const row: Row<P> = uploadTable[state.phase];
  const step: Step = row[kind];
  return step(state, facts);
}

/** In any phase: refused permanently. */
export function park(state: UploadState, code: string, message: string): UploadState {
  return { ...state, phase: 'parked', parked: { code, message } };
}

/** In any phase: the local file is gone. */
export function vanish(state: UploadState): UploadState {
  return { ...state, phase: 'gone' };
}

/** `a/b.mcap` with suffix 2 is `a/b~2.mcap`. */
export function keyWithSuffix(key: string, suffix: number): string {
  return suffix === 0 ? key : key.replace(/(\.mcap(\.enc)?)?$/, (end) => `~${suffix}${end}`);
}
