import type { LogLine, Status, TimelineSegment, TopicRow } from '../wire.js';
import { Store } from './store.js';

/** Whether this page receives data from the recorder. */
export type Connection =
  | { readonly state: 'connecting'; readonly sinceMs: number }
  | { readonly state: 'live'; readonly sinceMs: number }
  /** No data: the process is gone or frozen, or the connection is cut. `sinceMs`: the last data. */
  | {
      readonly state: 'lost';
      readonly sinceMs: number;
      readonly retryAtMs: number;
      readonly everLive: boolean;
    }
  /** The server requires a token, or another one. */
  | { readonly state: 'locked'; readonly reason: string };

/** The known state of the segments. */
export interface Segments {
  /** Oldest first. */
  readonly list: readonly TimelineSegment[];
  /** Number of older segments that are left out. */
  readonly omitted: number;
  readonly quarantined: number;
}

export interface Topics {
  readonly rows: readonly TopicRow[];
  readonly omitted: number;
}

export const connection = new Store<Connection>({ state: 'connecting', sinceMs: Date.now() });
export const status = new Store<Status | undefined>(undefined);
export const topics = new Store<Topics>({ rows: [], omitted: 0 });
export const segments = new Store<Segments>({ list: [], omitted: 0, quarantined: 0 });
export const logLines = new Store<readonly LogLine[]>([]);
/** The operations that the server allows this page. */
export const access = new Store<{
  readonly role: 'viewer' | 'operator';
  /** Formats that can be exported; empty: this recorder does not export. */
  readonly exports: readonly string[];
}>({ role: 'viewer', exports: [] });

/** When sync last answered, by the server's clock; absent: never since this page was opened. */
export const syncSeenAtMs = new Store<number | undefined>(undefined);

/** The outcome of an action, or an event that an operator should know. */
export interface Notice {
  readonly id: number;
  readonly atMs: number;
  readonly tone: 'ok' | 'bad' | 'info';
  readonly text: string;
}
export const notice = new Store<Notice | undefined>(undefined);

let notices = 0;
export function tell(tone: Notice['tone'], text: string): void {
  notice.set({ id: ++notices, atMs: Date.now(), tone, text });
}

/** Replaced once per second, for texts that count up. */
export const secondTick = new Store(Date.now());

/** The server's clock minus this machine's clock. Ages use the server's clock, also during a silence. */
let clockOffsetMs = 0;
export function noteServerTime(atMs: number): void {
  clockOffsetMs = atMs - Date.now();
}
export function serverNow(): number {
  return Date.now() + clockOffsetMs;
}
