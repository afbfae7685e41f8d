import type { Socket } from 'node:net';
import type { LedgerBook } from './fleet-ledger.js';
import {
  encodeJson,
  encodeMessageHead,
  Frame,
  type EndFrame,
  type NumberingFrame,
} from './fleet-protocol.js';
import type { Generator, SimMessage } from '../../simulation/generator.js';

interface InFlight {
  readonly channel: number;
  readonly sequence: number;
  readonly stamp: bigint;
  readonly bytes: number;
}

/**
 * The one connection that takes messages. Its unconfirmed bytes are bounded: a message that would exceed the
 * bound is not sent, and counted; the fleet never waits. The kernel's socket buffers count too, because a
 * message is in flight until the listener confirms it.
 */
export class FleetListener {
  readonly #socket: Socket;
  readonly #generator: Generator;
  readonly #book: LedgerBook;
  readonly #maxBytes: number;
  readonly #wanted: ReadonlySet<number>;
  /**
   * First in, first out; `#head` is the oldest unconfirmed one, and the ones before it are cut off now and
   * then.
   */
  #flight: InFlight[] = [];
  #head = 0;
  #inFlightBytes = 0;
  #confirmed = 0;

  constructor(
    socket: Socket,
    generator: Generator,
    book: LedgerBook,
    maxBytes: number,
    channels: readonly number[],
  ) {
    this.#socket = socket;
    this.#generator = generator;
    this.#book = book;
    this.#maxBytes = maxBytes;
    this.#wanted = new Set(channels.filter((channel) => channel < generator.channels.length));
  }

  get isDrained(): boolean {
    return this.#head === this.#flight.length;
  }

  wants(channel: number): boolean {
    return this.#wanted.has(channel);
  }

  /** Sends the state of each channel's numbering before anything else. */
  begin(now: bigint): void {
    const numbering = [...this.#wanted].map((channel): NumberingFrame => ({
      channel,
      delivered: this.#book.lastDelivered[channel]!,
      next: this.#generator.produced(channel) + 1,
      deliveredAt: String(this.#book.lastDeliveredAt[channel]!),
      nextAt: String(now),
    }));
    this.#socket.write(encodeJson(Frame.NUMBERING, numbering));
  }

  send(messages: readonly SimMessage[]): void {
    this.#socket.cork();
    for (const { channel, sequence, stamp, data } of messages) {
      if (!this.wants(channel)) continue;
      // A message larger than the bound is sent alone, or it would never be sent.
      if (this.#inFlightBytes > 0 && this.#inFlightBytes + data.length > this.#maxBytes) {
        this.#book.skip(channel);
        continue;
      }
      this.#socket.write(encodeMessageHead(channel, sequence, stamp, data.length));
      this.#socket.write(data);
      this.#flight.push({ channel, sequence, stamp, bytes: data.length });
      this.#inFlightBytes += data.length;
    }
    this.#socket.uncork();
  }

  /** @returns false if the listener confirms more than it was sent. */
  confirm(count: number): boolean {
    if (count - this.#confirmed > this.#flight.length - this.#head) return false;
    for (; this.#confirmed < count; this.#confirmed++) {
      const { channel, sequence, stamp, bytes } = this.#flight[this.#head++]!;
      this.#book.confirm(channel, sequence, stamp);
      this.#inFlightBytes -= bytes;
    }
    if (this.#head > 1_024 && this.#head * 2 > this.#flight.length) {
      this.#flight = this.#flight.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** Reports the end and the last numbers. */
  end(): void {
    const last = [...this.#wanted].map((channel): EndFrame => ({
      channel,
      last: this.#generator.produced(channel),
      lastAt: String(this.#generator.stamps(channel)?.last ?? 0n),
    }));
    this.#socket.write(encodeJson(Frame.END, last));
  }
}
