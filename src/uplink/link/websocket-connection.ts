import { WebSocket, type RawData } from 'ws';
import type { Clock } from '../../core/clock.js';
import type { ConnectionEvents, UplinkConnection } from './uplink-transport.js';

/** Subprotocol of the handshake: the version of the framing of messages. */
export const SUBPROTOCOL = 'holdfast.uplink.v1';

/** A connection without any sign of life for so many rounds is dead. */
const SILENT_ROUNDS = 3;
const KEEPALIVE_MS = 10_000;
/** What waits may be sent for so long after `close`. */
const CLOSE_PATIENCE_MS = 2_000;
const NORMAL_CLOSURE = 1_000;
/** A close frame has room for 123 bytes of reason. */
const REASON_MAX_CHARS = 40;

/** An open WebSocket as an uplink connection. Both ends send pings: either may be the one that is cut off. */
export class WebSocketConnection implements UplinkConnection {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  #events: ConnectionEvents | undefined;
  #isAlive = true;
  #silentRounds = 0;

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    const keepalive = clock.every(KEEPALIVE_MS, () => this.#checkLife(), { background: true });
    socket.on('pong', () => (this.#isAlive = true));
    socket.on('ping', () => (this.#isAlive = true));
    // Without a listener an error ends the process; `close` follows it.
    let failure = '';
    socket.on('error', (error) => (failure ||= error.message));
    socket.on('close', (code, reason) => {
      keepalive.cancel();
      const text = reason.toString('utf8');
      this.#end(failure || (text === '' ? `closed with ${code}` : text));
    });
  }

  /** Passes everything on from now on. Call it in the turn in which the socket opened: nothing is kept. */
  listen(events: ConnectionEvents): void {
    this.#events = events;
    this.#socket.on('message', (data: RawData, isBinary) => {
      this.#isAlive = true;
      if (!isBinary) this.close('a text message, allowed: binary');
      else this.#events?.message(data as Buffer);
    });
  }

  get waitingBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  close(reason: string): void {
    if (this.#socket.readyState >= WebSocket.CLOSING) return;
    this.#socket.close(NORMAL_CLOSURE, reason.slice(0, REASON_MAX_CHARS));
    this.#clock.after(CLOSE_PATIENCE_MS, () => this.#socket.terminate(), { background: true });
  }

  #checkLife(): void {
    this.#silentRounds = this.#isAlive ? 0 : this.#silentRounds + 1;
    this.#isAlive = false;
    if (this.#silentRounds >= SILENT_ROUNDS) this.#socket.terminate();
    else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #end(reason: string): void {
    const events = this.#events;
    this.#events = undefined;
    events?.closed(reason);
  }
}
