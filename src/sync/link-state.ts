import type { RandomBytes } from '../core/identity.js';

/**
 * The link to the store as a pure state machine. Times are monotonic nanoseconds.
 *
 *     unknown ──> probing ──answered──> online
 *                  │  ^                   │
 *           failed │  │ due, or any       │ failed
 *                  v  │ success           │
 *                 waiting <───────────────┘
 */
export type LinkPhase = 'unknown' | 'probing' | 'online' | 'waiting';

export interface LinkView {
  readonly phase: LinkPhase;
  /**
   * Failures since the last success that was not a probe. A store that answers probes but refuses uploads
   * must not be called every two seconds for ever.
   */
  readonly failures: number;
  /** Meaningful in `waiting`. */
  readonly retryAt: bigint;
}

export type LinkEvent =
  | { readonly kind: 'probe' }
  | { readonly kind: 'probe-answered' }
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly at: bigint };

export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Fraction of the delay that is random, 0 to 1, so that a fleet does not return at the same moment. */
  readonly jitter: number;
}

/** Delay before try number `failures + 1`: first, twice that, ... up to the maximum, less the jitter. */
export function backoffMs(backoff: Backoff, failures: number, random01: number): number {
  const full = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(failures - 1, 40));
  return full * (1 - backoff.jitter * random01);
}

/** A number from 0 to 1 from the injected randomness. */
export function random01(random: RandomBytes): number {
  return Buffer.from(random(4)).readUInt32LE() / 2 ** 32;
}

export const initialLink: LinkView = { phase: 'unknown', failures: 0, retryAt: 0n };

type Step<K extends LinkEvent['kind']> = (
  view: LinkView,
  event: Extract<LinkEvent, { kind: K }>,
  delayMs: (failures: number) => number,
) => LinkView;

type Row = { readonly [K in LinkEvent['kind']]: Step<K> };

const stay = (view: LinkView): LinkView => view;
const probing = (view: LinkView): LinkView => ({ ...view, phase: 'probing' });
const reachable = (view: LinkView): LinkView => ({ ...view, phase: 'online' });
const working = (): LinkView => ({ phase: 'online', failures: 0, retryAt: 0n });
const wait: Step<'failed'> = (view, event, delayMs) => {
  const failures = view.failures + 1;
  const retryAt = event.at + BigInt(Math.round(delayMs(failures) * 1e6));
  return { phase: 'waiting', failures, retryAt };
};

const table: Readonly<Record<LinkPhase, Row>> = {
  unknown: { probe: probing, 'probe-answered': reachable, succeeded: stay, failed: wait },
  // Only the probe can tell whether it is still the same store.
  probing: { probe: stay, 'probe-answered': reachable, succeeded: stay, failed: wait },
  // Probing an idle link leaves it online.
  online: { probe: stay, 'probe-answered': stay, succeeded: working, failed: wait },
  // Three parts cut by one reset are one failure, not three.
  waiting: { probe: probing, 'probe-answered': reachable, succeeded: probing, failed: stay },
};

export function nextLink(view: LinkView, event: LinkEvent, delayMs: (failures: number) => number): LinkView {
  const step = table[view.phase][event.kind] as Step<typeof event.kind>;
  return step(view, event, delayMs);
}
