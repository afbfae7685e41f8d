import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { createInbox } from '@nats-io/transport-node';
import { deferred, type Deferred } from '../deferred.js';
import { readDelivery, type Delivery } from './delivery.js';

/** A request is answered with messages as they come, for so long. */
const EXPIRES_MS = 20_000;
/** While there are none the server says that it is there. */
const HEARTBEAT_MS = 5_000;
/** So many heartbeats may be missing. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
/** Never reached before the bytes are: a delivery takes more than 64 on the wire. */
const BATCH_BYTES_EACH = 64;
/** What a message larger than the bytes asked for may make of them. */
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
  /** Asked for and not taken yet, together. */
  readonly maxBytes: number;
  /** The consumer's own limits, where it has any. */
  readonly maxBatch: number | undefined;
  readonly maxExpiresMs: number | undefined;
}

/**
 * The deliveries of one durable pull consumer, asked for by bytes. The library's own `consume` asks for at most
 * 100 messages at a time where it is limited by bytes, so that the rate would depend on the distance. Requests
 * overlap: another is sent once half of what may be under way has been taken. Ends when the consumer is gone or
 * the server is silent; whoever made it looks into it and makes another.
 */
export class Pull {
  /** Why nothing more will come. */
  ended: string | undefined;
  readonly whenEnded: Promise<void>;
  private readonly inbox: string;
  private readonly subscription: Subscription;
  private readonly watch: NodeJS.Timeout;
  private queue: Delivery[] = [];
  private taken = 0;
  private bufferedBytes = 0;
  private requests = 0;
  private requestedBytes = 0;
  private requestedMessages = 0;
  private serial = 0;
  /** Requests in a row that ended because the next message is larger than what they asked for. */
  private fruitless = 0;
  private sinceAsked = 0;
  private lastHeard: bigint;
  private news: Deferred<void> | undefined;
  private readonly over = deferred();

  /** @param onDelivery sees every delivery as it arrives, before it is taken. */
  constructor(
    private readonly connection: NatsConnection,
    private readonly options: PullOptions,
    private readonly monotonic: () => bigint,
    private readonly onDelivery: (delivery: Delivery) => void,
  ) {
    this.inbox = createInbox();
    this.whenEnded = this.over.promise;
    this.lastHeard = monotonic();
    this.subscription = connection.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error) this.end(error.message);
        else this.receive(message);
      },
    });
    this.watch = setInterval(() => this.checkSilence(), HEARTBEAT_MS);
    this.askIfLow();
  }

  /** The next delivery, if one is here. */
  take(): Delivery | undefined {
    const delivery = this.queue[this.taken];
    if (delivery === undefined) return undefined;
    this.taken++;
    if (this.taken === this.queue.length) {
      this.queue = [];
      this.taken = 0;
    } else if (this.taken > 10_000) {
      this.queue.splice(0, this.taken);
      this.taken = 0;
    }
    this.bufferedBytes -= delivery.wireBytes;
    this.askIfLow();
    return delivery;
  }

  /** Resolves when there is something to take, or it has ended. */
  whenNews(): Promise<void> {
    if (this.queue.length > 0 || this.ended !== undefined) return Promise.resolve();
    this.news ??= deferred();
    return this.news.promise;
  }

  /** Asks for nothing more; what has arrived may still be taken. Idempotent. */
  end(reason: string): void {
    if (this.ended !== undefined) return;
    this.ended = reason;
    clearInterval(this.watch);
    this.subscription.unsubscribe();
    this.over.resolve();
    this.tell();
  }

  private receive(message: Msg): void {
    this.lastHeard = this.monotonic();
    const delivery = readDelivery(message);
    if (delivery === undefined) {
      this.status(message);
      return;
    }
    this.requestedBytes = Math.max(0, this.requestedBytes - delivery.wireBytes);
    if (--this.requestedMessages <= 0) this.forgetRequests();
    this.fruitless = 0;
    this.sinceAsked++;
    this.bufferedBytes += delivery.wireBytes;
    this.queue.push(delivery);
    this.onDelivery(delivery);
    this.tell();
  }

  private status({ headers }: Msg): void {
    const code = headers?.code ?? 0;
    if (code === HEARTBEAT) return;
    const description = headers?.description ?? '';
    if (code === CONFLICT && /deleted|push based|leadership|shutdown/i.test(description)) {
      this.end(description);
    } else if (code === BAD_REQUEST || code === NO_MESSAGE) {
      this.end(code === NO_MESSAGE ? 'the consumer is not there' : description);
    } else if (code === CONFLICT || code === TIMEOUT) {
      if (/bytes/i.test(description) && this.sinceAsked === 0 && this.bufferedBytes === 0) this.fruitless++;
      // The request is over; the headers say how much of it.
      this.requestedBytes -= number(headers?.get('Nats-Pending-Bytes'));
      this.requestedMessages -= number(headers?.get('Nats-Pending-Messages'));
      if (--this.requests <= 0 || this.requestedBytes <= 0) this.forgetRequests();
      if (/exceeded/i.test(description) && !/bytes/i.test(description)) this.end(description);
      else this.askIfLow();
    }
  }

  private forgetRequests(): void {
    this.requests = 0;
    this.requestedBytes = 0;
    this.requestedMessages = 0;
    this.askIfLow();
  }

  private askIfLow(): void {
    const { stream, consumer, maxBatch = Infinity, maxExpiresMs = Infinity } = this.options;
    const maxBytes = Math.min(GROWN_MAX_BYTES, this.options.maxBytes * 2 ** this.fruitless);
    const underWay = this.requestedBytes + this.bufferedBytes;
    if (this.ended !== undefined || underWay > maxBytes / 2 || this.connection.isClosed()) return;
    const bytes = Math.floor(maxBytes - underWay);
    const batch = Math.min(maxBatch, Math.ceil(bytes / BATCH_BYTES_EACH));
    const expiresMs = Math.min(EXPIRES_MS, maxExpiresMs);
    this.sinceAsked = 0;
    this.requests++;
    this.requestedBytes += bytes;
    this.requestedMessages += batch;
    const request = {
      batch,
      max_bytes: bytes,
      expires: expiresMs * NS_PER_MS,
      // The server wants at least two of them before the request ends.
      idle_heartbeat: Math.min(HEARTBEAT_MS, Math.floor(expiresMs / 4)) * NS_PER_MS,
    };
    this.connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
      reply: `${this.inbox}.${++this.serial}`,
    });
  }

  private checkSilence(): void {
    // Where nothing is asked for because nothing is taken, nothing is to be heard.
    if (this.requests === 0) this.lastHeard = this.monotonic();
    const silentMs = Number(this.monotonic() - this.lastHeard) / NS_PER_MS;
    if (silentMs > SILENCE_MS) this.end(`the server sent nothing for ${Math.round(silentMs / 1_000)} s`);
  }

  private tell(): void {
    this.news?.resolve();
    this.news = undefined;
  }
}

function number(text: string | undefined): number {
  const value = Number(text);
  return Number.isFinite(value) ? value : 0;
}
