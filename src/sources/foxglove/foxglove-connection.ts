import { WebSocket } from 'ws';
import { systemCode } from '../../core/errors.js';
import { onAbort } from '../../core/on-abort.js';
import { deferred } from '../deferred.js';
import type { FoxgloveOptions } from './foxglove-options.js';
import { MESSAGE_HEAD_BYTES, SUBPROTOCOLS } from './foxglove-protocol.js';
import { FoxgloveSession, type SessionParts } from './foxglove-session.js';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const SILENT_ROUNDS = 3;
/** A frame of up to this many times the limit is still read, so that its gap can name the topic. */
const OVERSIZE_FACTOR = 2;
/** Channel lists with their schemas are single frames too. */
const TEXT_MIN_BYTES = 64 * 1024 * 1024;

export interface ConnectionEnd {
  readonly reason: string;
  readonly wasOpen: boolean;
  /** The server sent a frame too large to read at all. */
  readonly tooLarge: boolean;
  /** Nanoseconds since the Unix epoch of the last message; 0: none. */
  readonly lastReceivedAt: bigint;
}

/** One connection to a Foxglove server, until it is lost or the signal aborts. Never rejects. */
export async function runFoxgloveConnection(
  options: FoxgloveOptions,
  parts: Omit<SessionParts, 'send'>,
  signal: AbortSignal,
  onOpen: () => void,
): Promise<ConnectionEnd> {
  const { maxMessageBytes, url } = options;
  const socket = new WebSocket(url, [...SUBPROTOCOLS], {
    maxPayload: Math.max(TEXT_MIN_BYTES, OVERSIZE_FACTOR * maxMessageBytes) + MESSAGE_HEAD_BYTES,
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    followRedirects: false,
  });
  const session = new FoxgloveSession({
    ...parts,
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
  });
  const over = deferred<Pick<ConnectionEnd, 'reason' | 'tooLarge'>>();
  const closing = new AbortController();
  let wasOpen = false;
  let heard = false;
  socket.on('open', () => {
    wasOpen = true;
    onOpen();
    void keepAlive(options.keepaliveMs);
  });
  socket.on('message', (data: Buffer, isBinary) => {
    heard = true;
    if (isBinary) session.receiveBinary(data);
    else session.receiveText(data.toString('utf8'));
  });
  socket.on('pong', () => (heard = true));
  socket.on('error', (error) => over.resolve({ reason: error.message, tooLarge: isTooLarge(error) }));
  socket.on('close', (code, reason) => {
    over.resolve({
      reason: `closed with ${code}${reason.length > 0 ? ` ${String(reason)}` : ''}`,
      tooLarge: false,
    });
  });

  async function keepAlive(intervalMs: number): Promise<void> {
    let silent = 0;
    for (;;) {
      await parts.context.clock.sleep(intervalMs, closing.signal).catch(() => undefined);
      if (closing.signal.aborted) return;
      parts.gaps.flush();
      silent = heard ? 0 : silent + 1;
      heard = false;
      if (silent >= SILENT_ROUNDS) over.resolve({ reason: 'the server is silent', tooLarge: false });
      else socket.ping();
    }
  }

  const unlisten = onAbort(signal, () => over.resolve({ reason: 'stopped', tooLarge: false }));
  const end = await over.promise;
  unlisten();
  closing.abort();
  // Frames from now on belong to no connection; later errors of a closing socket have no meaning.
  socket.removeAllListeners('message');
  socket.terminate();
  return { ...end, wasOpen, lastReceivedAt: session.lastReceivedAt };
}

function isTooLarge(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return systemCode(error) === undefined && code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
}
