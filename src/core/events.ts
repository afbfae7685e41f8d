import type { Gap } from './gap.js';
import type { Manifest } from './manifest.js';
import type { MarkedEvent } from './marked-event.js';
import type { LinkState } from './link-state.js';

/** Events of a recorder as they happen; `RecorderStatus` has its whole state. */
export type RecorderEvent =
  | { readonly kind: 'segment-sealed'; readonly manifest: Manifest }
  | {
      readonly kind: 'segment-evicted';
      readonly segment: string;
      readonly robot: string;
      readonly reason: string;
    }
  /** The message is durable: part of the recording. */
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'state'; readonly state: string; readonly reason?: string }
  | { readonly kind: 'event-marked'; readonly event: MarkedEvent };

/** Events of sync as they happen; `SyncStatus` has its whole state. */
export type SyncEvent =
  | {
      readonly kind: 'segment-synced';
      readonly segment: string;
      readonly robot: string;
      readonly key: string;
      readonly bytes: number;
      readonly messages: number;
      /** Time from the first byte that this process sent until the object was verified. */
      readonly durationMs: number;
      /** Resumed with parts that an earlier process had sent. */
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
