import { connection } from '../model/live.js';
import { storedToken } from './token.js';

/** Updates come at 2 Hz. After this time without one, the process counts as lost. */
const SILENCE_MS = 4_000;
/** Delays between attempts; the last one repeats. A restarted recorder is back within moments. */
const RETRY_MS = [500, 1_000, 2_000, 3_000];
const UNAUTHORIZED = 4401;

/** Where the live state comes from, and what happens to it. */
export interface FeedSource {
  /** What texts call the server. */
  readonly what: 'recorder' | 'ground';
  /** A path whose answer says whether the page may ask at all. */
  readonly probe: string;
  readonly apply: (frame: { readonly type: string }) => void;
}

let source: FeedSource = { what: 'recorder', probe: 'alerts', apply: () => undefined };

/** Called once, before {@link connect}. */
export function useFeed(chosen: FeedSource): void {
  source = chosen;
}

/** What texts call the server. */
export function serverName(): string {
  return source.what;
}

let socket: WebSocket | undefined;
let tries = 0;
let lastHeardMs: number | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Connects and stays connected. Received data goes into the stores; `connection` reports failures. */
export async function connect(): Promise<void> {
  clearTimeout(timer);
  close();
  const before = connection.get();
  if (before.state === 'locked') connection.set({ state: 'connecting', sinceMs: Date.now() });
  // A refused socket gives a page no reason; the answer to a plain request does.
  const refusal = await ask();
  if (refusal === undefined) open();
  else if (refusal === 'silent') lost();
  else connection.set({ state: 'locked', reason: refusal });
}

function open(): void {
  const address = new URL('live', location.href);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.hash = '';
  const mine = new WebSocket(address);
  socket = mine;
  expectWord();
  const token = storedToken();
  mine.onopen = () => {
    if (token !== undefined) mine.send(JSON.stringify({ type: 'auth', token }));
  };
  mine.onmessage = ({ data }) => {
    if (socket === mine) heard(JSON.parse(String(data)) as { type: string });
  };
  mine.onclose = ({ code }) => {
    if (socket !== mine) return;
    if (code !== UNAUTHORIZED) {
      lost();
      return;
    }
    close();
    const reason =
      storedToken() === undefined
        ? `This ${source.what} is protected. Enter its token.`
        : `The ${source.what} does not know this token.`;
    connection.set({ state: 'locked', reason });
  };
}

function close(): void {
  const before = socket;
  socket = undefined;
  before?.close();
}

function heard(frame: { readonly type: string }): void {
  expectWord();
  source.apply(frame);
  if (frame.type === 'welcome') return;
  lastHeardMs = Date.now();
  tries = 0;
  if (connection.get().state !== 'live') connection.set({ state: 'live', sinceMs: lastHeardMs });
}

/** A socket can stay open although the process is frozen or the network drops everything. */
function expectWord(): void {
  clearTimeout(timer);
  timer = setTimeout(lost, SILENCE_MS);
}

function lost(): void {
  clearTimeout(timer);
  close();
  const waitMs = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] ?? 1_000;
  const before = connection.get();
  connection.set({
    state: 'lost',
    sinceMs: lastHeardMs ?? ('sinceMs' in before ? before.sinceMs : Date.now()),
    retryAtMs: Date.now() + waitMs,
    everLive: lastHeardMs !== undefined,
  });
  timer = setTimeout(() => void connect(), waitMs);
}

/**
 * The reason why the server refuses this page, in words; `silent` without a reason; `undefined` if it accepts
 * the page.
 */
async function ask(): Promise<string | undefined> {
  const token = storedToken();
  try {
    const answer = await fetch(source.probe, {
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      signal: AbortSignal.timeout(SILENCE_MS),
      cache: 'no-store',
    });
    if (answer.status === 429)
      return `Too many wrong tokens: the ${source.what} refuses every token for a while.`;
    if (answer.status !== 401) return undefined;
    return token === undefined
      ? `This ${source.what} is protected. Enter its token.`
      : `The ${source.what} does not know this token.`;
  } catch {
    return 'silent';
  }
}
