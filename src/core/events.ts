import type { Gap } from './gap.js';
import type { Manifest } from './manifest.js';
import type { LinkState } from './status.js';

/** A window of time somebody called important: it is sealed soon and uploaded before everything else. */
export interface MarkedEvent {
  /** 32 hex digits. */
  readonly id: string;
  readonly label: string;
  /** Decimal nanoseconds since the Unix epoch: when it was marked, and the window around it. */
  readonly at: string;
  readonly from: string;
  readonly to: string;
}

/** What a recorder tells as it happens; its state as a whole is in `RecorderStatus`. */
export type RecorderEvent =
  | { readonly kind: 'segment-sealed'; readonly manifest: Manifest }
  | {
      readonly kind: 'segment-evicted';
      readonly segment: string;
      readonly robot: string;
      readonly reason: string;
    }
  /** Durable by now: part of the recording. */
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'state'; readonly state: string; readonly reason?: string }
  | { readonly kind: 'event-marked'; readonly event: MarkedEvent };

/** What sync tells as it happens; its state as a whole is in `SyncStatus`. */
export type SyncEvent =
  | {
      readonly kind: 'segment-synced';
      readonly segment: string;
      readonly robot: string;
      readonly key: string;
      readonly bytes: number;
      readonly messages: number;
      /** From the first byte sent by this process to verified. */
      readonly durationMs: number;
      /** Continued from parts an earlier process had sent. */
      readonly resumed: boolean;
    }
  | {
      readonly kind: 'segment-parked';
      readonly segment: string;
      readonly robot: string;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: 'link'; readonly link: LinkState; readonly since: string; readonly reason?: string };

/** Listeners run in the caller's turn, must be quick, and may throw: that is logged and disturbs nobody. */
export type Listen<T> = (listener: (event: T) => void) => Unlisten;
export type Unlisten = () => void;
