import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { Clock, Timer } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import { MAX_MESSAGE_BYTES } from '../protocol/uplink-messages.js';
import type { ConnectionEvents, UplinkConnection } from './uplink-transport.js';

/** A message of NATS, or of a stream. */
export interface Received {
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
}

/** What a link needs from its end of NATS. */
export interface NatsLinkParts {
  readonly publish: (bytes: Uint8Array, headers?: MsgHdrs) => void;
  /** Resolves when the server has everything that was published; absent: what was published counts as gone. */
  readonly flush?: () => Promise<void>;
  /** Called once, at the end. */
  readonly release: () => void;
  readonly clock: Clock;
}

const CLOSE = 'Holdfast-Close';
const PING = 'Holdfast-Ping';
const EMPTY = new Uint8Array(0);
const REASON_MAX_CHARS = 100;
const KEEPALIVE_MS = 10_000;
/** A link without any sign of life for so long is dead. */
const SILENCE_MS = 3.5 * KEEPALIVE_MS;
/** What waits may be sent for so long after `close`. */
const CLOSE_PATIENCE_MS = 2_000;

/** One connection of a robot over NATS, seen from either end. */
export class NatsLink implements UplinkConnection {
  readonly #parts: NatsLinkParts;
  readonly #keepalive: Timer;
  #events: ConnectionEvents | undefined;
  #waiting = 0;
  #isFlushing = false;
  #isClosing = false;
  #hasEnded = false;
  #sentAt: bigint;
  #heardAt: bigint;

  constructor(parts: NatsLinkParts) {
    this.#parts = parts;
    this.#sentAt = this.#heardAt = parts.clock.monotonic();
    this.#keepalive = parts.clock.every(KEEPALIVE_MS, () => this.#keepAlive(), { background: true });
  }

  listen(events: ConnectionEvents): void {
    this.#events = events;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get waitingBytes(): number {
    return this.#waiting;
  }

  send(message: Uint8Array): void {
    if (this.#isClosing || this.#hasEnded) return;
    this.#publish(message);
    if (this.#parts.flush === undefined) return;
    this.#waiting += message.byteLength;
    this.#flush(this.#parts.flush);
  }

  close(reason: string): void {
    if (this.#isClosing || this.#hasEnded) return;
    this.#isClosing = true;
    const head = headers();
    const words = reason.replace(/[^\x20-\x7e]/g, ' ').slice(0, REASON_MAX_CHARS);
    head.set(CLOSE, words || 'closed');
    this.#publish(EMPTY, head);
    const { clock, flush = () => Promise.resolve() } = this.#parts;
    const end = (): void => this.end(reason);
    clock.after(CLOSE_PATIENCE_MS, end, { background: true });
    flush().then(end, end);
  }

  /** Takes a message of the other end. */
  received({ data, headers: head }: Received): void {
    if (this.#hasEnded) return;
    this.#heardAt = this.#parts.clock.monotonic();
    const reason = head?.get(CLOSE) ?? '';
    if (reason !== '') this.end(reason);
    else if (data.byteLength > MAX_MESSAGE_BYTES)
      this.close(`a message of ${data.byteLength} bytes, allowed: ${MAX_MESSAGE_BYTES}`);
    else if (head?.has(PING) !== true) this.#events?.message(data);
  }

  /** The connection is over, without a word to the other end. Idempotent. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#waiting = 0;
    this.#keepalive.cancel();
    this.#parts.release();
    this.#events?.closed(reason);
  }

  #publish(bytes: Uint8Array, head?: MsgHdrs): void {
    this.#sentAt = this.#parts.clock.monotonic();
    try {
      this.#parts.publish(bytes, head);
    } catch (error) {
      // The library refuses it: the connection has ended, or the server takes no messages of this size.
      this.#parts.clock.soon(() => this.end(describeError(error)));
    }
  }

  /** One round trip at a time: its answer says that everything before it has arrived. */
  #flush(flush: () => Promise<void>): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    const bytes = this.#waiting;
    const done = (): void => {
      this.#isFlushing = false;
      if (this.#hasEnded) return;
      this.#waiting -= bytes;
      if (this.#waiting > 0) this.#flush(flush);
    };
    flush().then(done, (error: unknown) => this.end(describeError(error)));
  }

  #keepAlive(): void {
    const now = this.#parts.clock.monotonic();
    if (now - this.#heardAt > BigInt(SILENCE_MS) * 1_000_000n) {
      this.close('the other end is silent');
      return;
    }
    if (this.#isClosing || now - this.#sentAt < BigInt(KEEPALIVE_MS - 500) * 1_000_000n) return;
    const head = headers();
    head.set(PING, '1');
    this.#publish(EMPTY, head);
  }
}
