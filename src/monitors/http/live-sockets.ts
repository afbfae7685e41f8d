import type { WebSocket } from 'ws';
import type { LiveFeed } from '../live/live-feed.js';
import type { Access, AccessRole } from './access.js';
import type { FailedTokens } from './failed-tokens.js';

/** Close codes of our own, said to the page. */
export const closeCodes = {
  /** The token is missing or wrong, or came too late. */
  unauthorized: 4401,
  /** There are as many pages as are allowed. */
  full: 4429,
  /** The page reads too slowly. */
  slow: 4408,
  /** The process ends. */
  ending: 1001,
} as const;

const TOKEN_WITHIN_MS = 5_000;
const PING_EVERY_MS = 15_000;

/**
 * Pages that watch over a WebSocket. Where tokens are needed the first message must be
 * `{"type":"auth","token":"..."}` and come soon; the answer is `{"type":"welcome","role":...}` and then the
 * feed. Nothing else a page sends means anything. Bounded in number; whoever does not answer a ping is gone.
 */
export class LiveSockets {
  private readonly watching = new Set<WebSocket>();
  /** Those whose token has not come yet: bounded apart, so that they cannot keep out who has one. */
  private readonly waiting = new Set<WebSocket>();

  constructor(
    private readonly feed: LiveFeed,
    private readonly access: Access,
    private readonly failed: FailedTokens,
    private readonly max: number,
    /** Whether this process exports: pages offer only what there is. */
    private readonly exports = false,
  ) {}

  get clients(): number {
    return this.watching.size;
  }

  /** @param token - of the upgrade's header, already known to be right */
  accept(socket: WebSocket, address: string, token: string | undefined): void {
    socket.on('error', () => socket.terminate());
    const ping = keepAlive(socket);
    socket.on('close', () => clearInterval(ping));
    const role = !this.access.needsToken
      ? 'operator'
      : token === undefined
        ? undefined
        : this.access.roleOf(token);
    if (role === undefined) this.awaitToken(socket, address);
    else this.serve(socket, role);
  }

  closeAll(): void {
    for (const socket of [...this.watching, ...this.waiting]) {
      socket.close(closeCodes.ending, 'the recorder ends');
      terminateSoon(socket);
    }
  }

  private awaitToken(socket: WebSocket, address: string): void {
    if (!this.admit(socket, this.waiting)) return;
    const refuse = (): void => {
      socket.close(closeCodes.unauthorized, 'a token is needed');
      terminateSoon(socket);
    };
    const timer = setTimeout(refuse, TOKEN_WITHIN_MS).unref();
    socket.once('close', () => clearTimeout(timer));
    socket.once('message', (data: Buffer) => {
      clearTimeout(timer);
      this.waiting.delete(socket);
      if (this.failed.blockedForS(address) > 0) return refuse();
      const token = tokenIn(data);
      const role = token === undefined ? undefined : this.access.roleOf(token);
      if (role !== undefined) return this.serve(socket, role);
      this.failed.note(address);
      refuse();
    });
  }

  private serve(socket: WebSocket, role: AccessRole): void {
    if (!this.admit(socket, this.watching)) return;
    socket.send(JSON.stringify({ type: 'welcome', role, ...(this.exports ? { exports: true } : {}) }));
    const leave = this.feed.join({
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

  /** False: there are as many as are allowed, and it is closed. */
  private admit(socket: WebSocket, among: Set<WebSocket>): boolean {
    if (among.size >= this.max) {
      socket.close(closeCodes.full, 'too many pages');
      terminateSoon(socket);
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

/** A peer that vanished without a word is found by its silence. */
function keepAlive(socket: WebSocket): NodeJS.Timeout {
  let isAlive = true;
  socket.on('pong', () => (isAlive = true));
  return setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, PING_EVERY_MS).unref();
}

/** Whoever does not answer the close is cut off. */
function terminateSoon(socket: WebSocket): void {
  setTimeout(() => socket.terminate(), 1_000).unref();
}
