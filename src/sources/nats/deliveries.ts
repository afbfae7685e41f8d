import type { Delivery } from './delivery.js';
import type { NatsStats } from './nats-stats.js';

/** A delivery that is pending for longer than this is left to the server's redelivery. */
const KEEP_ALIVE_MAX_MS = 30 * 60_000;
const NS_PER_MS = 1_000_000;

export const ACK = '+ACK';
const WORKING = '+WPI';

interface Held {
  reply: string;
  readonly receivedAt: bigint;
  toldAt: bigint;
  /** It is in the recording; only the acknowledgement has not been sent. */
  durable: boolean;
}

/** How acknowledgements reach the server. */
export type Publish = (subject: string, payload: string) => void;

/**
 * The deliveries of one creation of a stream that are not acknowledged. While a message waits for its commit,
 * the server receives "in progress" signs, so that a slow disk causes no redeliveries. Without a connection,
 * acknowledgements wait. They are sent on the next connection to the same creation of the stream, never to
 * another one, where the same sequence is another message.
 */
export class Deliveries {
  readonly #held = new Map<number, Held>();
  #publish: Publish | undefined;
  #whenEmpty: (() => void) | undefined;

  readonly #monotonic: () => bigint;
  readonly #stats: NatsStats;

  constructor(monotonic: () => bigint, stats: NatsStats) {
    this.#monotonic = monotonic;
    this.#stats = stats;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Messages of this range that wait for their commit. */
  waiting(first: number, last: number): number {
    let count = 0;
    for (const [streamSequence, { durable }] of this.#held) {
      if (!durable && streamSequence >= first && streamSequence <= last) count++;
    }
    return count;
  }

  /** It was received; of several deliveries, the latest is acknowledged. */
  add({ streamSequence, reply }: Delivery): void {
    const known = this.#held.get(streamSequence);
    const now = this.#monotonic();
    if (known) {
      known.reply = reply;
      known.toldAt = now;
      if (known.durable) this.#send(streamSequence, known);
    } else this.#held.set(streamSequence, { reply, receivedAt: now, toldAt: now, durable: false });
  }

  /** Its commit is durable, or it needs none. */
  ack(streamSequence: number): void {
    const held = this.#held.get(streamSequence);
    if (!held || held.durable) return;
    held.durable = true;
    this.#stats.acknowledged(Number(this.#monotonic() - held.receivedAt) / NS_PER_MS);
    this.#send(streamSequence, held);
  }

  /** An answer other than an acknowledgement: deliver it again, or never. */
  answer(streamSequence: number, payload: string): void {
    const held = this.#held.get(streamSequence);
    if (!held) return;
    this.#publish?.(held.reply, payload);
    this.#remove(streamSequence);
  }

  /** It is not handled for now: the server delivers it again. */
  forget(streamSequence: number): void {
    this.#remove(streamSequence);
  }

  /** A connection to this creation of the stream: pending acknowledgements are sent. */
  connected(publish: Publish): void {
    this.#publish = publish;
    for (const [streamSequence, held] of this.#held) if (held.durable) this.#send(streamSequence, held);
  }

  disconnected(): void {
    this.#publish = undefined;
  }

  /** Reports to the server what is still in progress; call it more often than every `everyMs`. */
  keepAlive(everyMs: number): void {
    const now = this.#monotonic();
    for (const [streamSequence, held] of this.#held) {
      const ageMs = Number(now - held.receivedAt) / NS_PER_MS;
      if (ageMs > KEEP_ALIVE_MAX_MS) this.#remove(streamSequence);
      else if (this.#publish && Number(now - held.toldAt) / NS_PER_MS >= everyMs) {
        held.toldAt = now;
        this.#publish(held.reply, WORKING);
      }
    }
  }

  /** Resolves when nothing is pending any more. */
  empty(): Promise<void> {
    if (this.#held.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#whenEmpty = resolve));
  }

  #send(streamSequence: number, { reply }: Held): void {
    if (!this.#publish) return;
    this.#publish(reply, ACK);
    this.#remove(streamSequence);
  }

  #remove(streamSequence: number): void {
    this.#held.delete(streamSequence);
    if (this.#held.size === 0) this.#whenEmpty?.();
  }
}
