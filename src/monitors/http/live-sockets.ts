import type { WebSocket } from 'ws';
import type { FeedClient } from '../live/feed-members.js';
import type { AccessPolicy, AccessRole } from './access.js';
import type { FailedTokens } from './failed-tokens.js';
import type { Timer, Timers } from '../../core/clock.js';

/** WebSocket close codes for the page. */
export const closeCodes = {
  /** The token is missing or wrong, or came too late. */
  unauthorized: 4401,
  /** The maximum number of pages is connected. */
  full: 4429,
  /** The page reads too slowly. */
  slow: 4408,
  /** The process ends. */
  ending: 1001,
} as const;

/** The live state for any number of pages. */
export interface PageFeed {
  /** Sends the state and then its changes; returns how to leave. */
  join(client: FeedClient): () => void;
}

const TOKEN_WITHIN_MS = 5_000;
/** A token that was revoked closes its pages within this time. */
const TOKEN_CHECK_MS = 5_000;
const PING_EVERY_MS = 15_000;

/**
 * Pages that watch over a WebSocket. If tokens are required, the first message must be
 * `{"type":"auth","token":"..."}` and come soon; the answer is `{"type":"welcome","role":...}` and then the
 * feed. All other messages of a page are ignored. Bounded in number; a client that does not answer a ping is
 * disconnected.
 */
export class LiveSockets {
  readonly #watching = new Set<WebSocket>();
  /** Pages without a token yet: bounded separately, so that they cannot block pages with a token. */
  readonly #waiting = new Set<WebSocket>();

  readonly #feed: PageFeed;
  readonly #access: AccessPolicy;
  readonly #failed: FailedTokens;
  readonly #max: number;
  readonly #timers: Timers;
  /** Export formats of this process, which pages offer. */
  readonly #exports: readonly string[];

  constructor(
    feed: PageFeed,
    access: AccessPolicy,
    failed: FailedTokens,
    max: number,
    timers: Timers,
    exports: readonly string[] = [],
  ) {
    this.#feed = feed;
    this.#access = access;
    this.#failed = failed;
    this.#max = max;
    this.#timers = timers;
    this.#exports = exports;
  }

  get clients(): number {
    return this.#watching.size;
  }

  /** @param known - the role of the token in the upgrade's header; absent: it has none */
  accept(socket: WebSocket, address: string, known: AccessRole | undefined, token?: string): void {
    socket.on('error', () => socket.terminate());
    const ping = keepAlive(socket, this.#timers);
    socket.on('close', () => ping.cancel());
    const role = this.#access.needsToken ? known : this.#access.anonymous.role;
    if (role === undefined) this.#awaitToken(socket, address);
    else this.#serve(socket, role, token);
  }

  closeAll(): void {
    for (const socket of [...this.#watching, ...this.#waiting]) {
      socket.close(closeCodes.ending, 'the server ends');
      this.#terminateSoon(socket);
    }
  }

  #awaitToken(socket: WebSocket, address: string): void {
    if (!this.#admit(socket, this.#waiting)) return;
    const refuse = (): void => {
      socket.close(closeCodes.unauthorized, 'a token is needed');
      this.#terminateSoon(socket);
    };
    const timer = this.#timers.after(TOKEN_WITHIN_MS, refuse, { background: true });
    socket.once('close', () => timer.cancel());
    socket.once('message', (data: Buffer) => {
      timer.cancel();
      this.#waiting.delete(socket);
      const token = tokenIn(data);
      void this.#roleOf(token, address).then((role) => {
        if (role === undefined) refuse();
        else this.#serve(socket, role, token);
      }, refuse);
    });
  }

  /** A wrong token is noted. */
  async #roleOf(token: string | undefined, address: string): Promise<AccessRole | undefined> {
    if (this.#failed.blockedForS(address) > 0) return undefined;
    const found = token === undefined ? undefined : await this.#access.identify(token);
    if (found === undefined) this.#failed.note(address);
    return found?.role;
  }

  /** Closes the page of a token that was revoked, and one without a token as soon as the server needs tokens. */
  #watchAccess(socket: WebSocket, role: AccessRole, token: string | undefined): void {
    const check = async (): Promise<void> => {
      if (!this.#access.needsToken) return;
      const found =
        token === undefined
          ? undefined
          : await Promise.resolve(this.#access.identify(token)).catch(() => undefined);
      if (found?.role === role) return;
      const why = token === undefined ? 'a token is needed' : 'the token is no longer valid';
      socket.close(closeCodes.unauthorized, why);
      this.#terminateSoon(socket);
    };
    const timer = this.#timers.every(TOKEN_CHECK_MS, () => void check(), { background: true });
    socket.on('close', () => timer.cancel());
  }

  #serve(socket: WebSocket, role: AccessRole, token: string | undefined): void {
    if (!this.#admit(socket, this.#watching)) return;
    this.#watchAccess(socket, role, token);
    socket.send(
      JSON.stringify({
        type: 'welcome',
        role,
        ...(this.#exports.length === 0 ? {} : { exports: this.#exports }),
      }),
    );
    const leave = this.#feed.join({
      get unsentBytes() {
        return socket.bufferedAmount;
      },
      send: (text) => socket.send(text),
      drop: () => {
        socket.close(closeCodes.slow, 'too slow');
        socket.terminate();
      },
    });
    socket.on('close', leave);
  }

  /** A page that does not answer the close is disconnected. */
  #terminateSoon(socket: WebSocket): void {
    this.#timers.after(1_000, () => socket.terminate(), { background: true });
  }

  /** False: the maximum is reached, and it is closed. */
  #admit(socket: WebSocket, among: Set<WebSocket>): boolean {
    if (among.size >= this.#max) {
      socket.close(closeCodes.full, 'too many pages');
      this.#terminateSoon(socket);
      return false;
    }
    among.add(socket);
    socket.on('close', () => among.delete(socket));
    return true;
  }
}

function tokenIn(data: Buffer): string | undefined {
  try {
    const message = JSON.parse(data.toString('utf8')) as { type?: unknown; token?: unknown } | null;
    const isRight = message?.type === 'auth' && typeof message.token === 'string';
    return isRight ? (message.token as string).slice(0, 200) : undefined;
  } catch {
    return undefined;
  }
}

/** A peer that vanished is detected by its silence. */
function keepAlive(socket: WebSocket, timers: Timers): Timer {
  let isAlive = true;
  socket.on('pong', () => (isAlive = true));
  const ping = (): void => {
    if (!isAlive) {
      socket.terminate();
      return;
    }
    isAlive = false;
    socket.ping();
  };
  return timers.every(PING_EVERY_MS, ping, { background: true });
}
