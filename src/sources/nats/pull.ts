import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { createInbox } from '@nats-io/transport-node';
import { deferred, type Deferred } from '../deferred.js';
import { readDelivery, type Delivery } from './delivery.js';
import type { Clock, Timer } from '../../core/clock.js';

/** How long one request is open; messages arrive as they come. */
const EXPIRES_MS = 20_000;
/** Interval of the server's heartbeats while there are no messages. */
const HEARTBEAT_MS = 5_000;
/** Number of heartbeats that may be missing. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
/** The byte limit is always reached first: a delivery takes more than 64 bytes on the wire. */
const BATCH_BYTES_EACH = 64;
/** The requested bytes grow up to this for a message that is larger than the request. */
const GROWN_MAX_BYTES = 256 * 1024 * 1024;
const NS_PER_MS = 1_000_000;

const NO_MESSAGE = 503;
const CONFLICT = 409;
const TIMEOUT = 408;
const BAD_REQUEST = 400;
const HEARTBEAT = 100;

export interface PullOptions {
  readonly stream: string;
  readonly consumer: string;
  /** Requested and not taken yet, together. */
  readonly maxBytes: number;
  /** The consumer's own limits, if it has any. */
  readonly maxBatch: number | undefined;
  readonly maxExpiresMs: number | undefined;
}

/**
 * The deliveries of one durable pull consumer, requested by bytes. The library's own `consume` requests at
 * most 100 messages at a time if it is limited by bytes, so its rate would depend on the distance. Requests
 * overlap: the next one is sent once half of the allowed bytes was taken. Ends when the consumer is gone or
 * the server is silent; its owner checks it and creates another.
 */
export class Pull {
  /** Why nothing more will arrive. */
  ended: string | undefined;
  readonly whenEnded: Promise<void>;
  /** After {@link drain}: resolves when the server has confirmed the end and every earlier delivery has arrived. */
  whenDrained: Promise<void> = Promise.resolve();
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #watch: Timer;
  #queue: Delivery[] = [];
  #taken = 0;
  #bufferedBytes = 0;
  #requests = 0;
  #requestedBytes = 0;
  #requestedMessages = 0;
  #serial = 0;
  /** Consecutive requests that ended because the next message is larger than requested. */
  #fruitless = 0;
  #sinceAsked = 0;
  #lastHeard: bigint;
  #news: Deferred<void> | undefined;
  readonly #over = deferred();

  readonly #connection: NatsConnection;
  readonly #options: PullOptions;
  readonly #clock: Clock;
  readonly #onDelivery: (delivery: Delivery) => void;

  /** @param onDelivery receives every delivery on arrival, before it is taken. */
  constructor(
    connection: NatsConnection,
    options: PullOptions,
    clock: Clock,
    onDelivery: (delivery: Delivery) => void,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#clock = clock;
    this.#onDelivery = onDelivery;
    this.#inbox = createInbox();
    this.whenEnded = this.#over.promise;
    this.#lastHeard = clock.monotonic();
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error) this.end(error.message);
        else this.#receive(message);
      },
    });
    this.#watch = clock.every(HEARTBEAT_MS, () => this.#checkSilence());
    this.#askIfLow();
  }

  /** The next delivery, if there is one. */
  take(): Delivery | undefined {
    const delivery = this.#queue[this.#taken];
    if (delivery === undefined) return undefined;
    this.#taken++;
    if (this.#taken === this.#queue.length) {
      this.#queue = [];
      this.#taken = 0;
    } else if (this.#taken > 10_000) {
      this.#queue.splice(0, this.#taken);
      this.#taken = 0;
    }
    this.#bufferedBytes -= delivery.wireBytes;
    this.#askIfLow();
    return delivery;
  }

  /** Resolves when a delivery is available, or after the end. */
  whenNews(): Promise<void> {
    if (this.#queue.length > 0 || this.ended !== undefined) return Promise.resolve();
    this.#news ??= deferred();
    return this.#news.promise;
  }

  /** Requests nothing more; deliveries that have arrived may still be taken. Idempotent. */
  end(reason: string): void {
    if (this.ended !== undefined) return;
    this.#subscription.unsubscribe();
    this.#end(reason);
  }

  /** As {@link end}, but deliveries that arrive until {@link whenDrained} may be taken too. */
  drain(reason: string): void {
    if (this.ended !== undefined) return;
    this.whenDrained = this.#subscription.drain().catch(() => undefined);
    this.#end(reason);
  }

  #end(reason: string): void {
    this.ended = reason;
    this.#watch.cancel();
    this.#over.resolve();
    this.#tell();
  }

  #receive(message: Msg): void {
    this.#lastHeard = this.#clock.monotonic();
    const delivery = readDelivery(message);
    if (delivery === undefined) {
      this.#status(message);
      return;
    }
    this.#requestedBytes = Math.max(0, this.#requestedBytes - delivery.wireBytes);
    if (--this.#requestedMessages <= 0) this.#forgetRequests();
    this.#fruitless = 0;
    this.#sinceAsked++;
    this.#bufferedBytes += delivery.wireBytes;
    this.#queue.push(delivery);
    this.#onDelivery(delivery);
    this.#tell();
  }

  #status({ headers }: Msg): void {
    const code = headers?.code ?? 0;
    if (code === HEARTBEAT) return;
    const description = headers?.description ?? '';
    if (code === CONFLICT && /deleted|push based|leadership|shutdown/i.test(description)) {
      this.end(description);
    } else if (code === BAD_REQUEST || code === NO_MESSAGE) {
      this.end(code === NO_MESSAGE ? 'the consumer is not there' : description);
    } else if (code === CONFLICT || code === TIMEOUT) {
      if (/bytes/i.test(description) && this.#sinceAsked === 0 && this.#bufferedBytes === 0)
        this.#fruitless++;
      // The request is over; the headers state how much of it.
      this.#requestedBytes -= number(headers?.get('Nats-Pending-Bytes'));
      this.#requestedMessages -= number(headers?.get('Nats-Pending-Messages'));
      if (--this.#requests <= 0 || this.#requestedBytes <= 0) this.#forgetRequests();
      if (/exceeded/i.test(description) && !/bytes/i.test(description)) this.end(description);
      else this.#askIfLow();
    }
  }

  #forgetRequests(): void {
    this.#requests = 0;
    this.#requestedBytes = 0;
    this.#requestedMessages = 0;
    this.#askIfLow();
  }

  #askIfLow(): void {
    const { stream, consumer, maxBatch = Infinity, maxExpiresMs = Infinity } = this.#options;
    const maxBytes = Math.min(GROWN_MAX_BYTES, this.#options.maxBytes * 2 ** this.#fruitless);
    const underWay = this.#requestedBytes + this.#bufferedBytes;
    if (this.ended !== undefined || underWay > maxBytes / 2 || this.#connection.isClosed()) return;
    const bytes = Math.floor(maxBytes - underWay);
    const batch = Math.min(maxBatch, Math.ceil(bytes / BATCH_BYTES_EACH));
    const expiresMs = Math.min(EXPIRES_MS, maxExpiresMs);
    this.#sinceAsked = 0;
    this.#requests++;
    this.#requestedBytes += bytes;
    this.#requestedMessages += batch;
    const request = {
      batch,
      max_bytes: bytes,
      expires: expiresMs * NS_PER_MS,
      // The server requires at least two of them before the request ends.
      idle_heartbeat: Math.min(HEARTBEAT_MS, Math.floor(expiresMs / 4)) * NS_PER_MS,
    };
    this.#connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
      reply: `${this.#inbox}.${++this.#serial}`,
    });
  }

  #checkSilence(): void {
    // If nothing is requested because nothing is taken, no heartbeat is expected.
    if (this.#requests === 0) this.#lastHeard = this.#clock.monotonic();
    const silentMs = Number(this.#clock.monotonic() - this.#lastHeard) / NS_PER_MS;
    if (silentMs > SILENCE_MS) this.end(`the server sent nothing for ${Math.round(silentMs / 1_000)} s`);
  }

  #tell(): void {
    this.#news?.resolve();
    this.#news = undefined;
  }
}

function number(text: string | undefined): number {
  const value = Number(text);
  return Number.isFinite(value) ? value : 0;
}
