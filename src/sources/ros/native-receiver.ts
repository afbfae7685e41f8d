import type { Node } from 'rclnodejs';
import type { Timers } from '../../core/clock.js';
import type { DurationHistogram } from '../../core/duration-histogram.js';
import type { Logger } from '../../core/logger.js';
import { defined } from '../../core/defined.js';
import { present } from '../../core/present.js';
import { guard } from './guard.js';
import {
  BATCH_MESSAGES,
  batchColumns,
  type NativeBinding,
  type NativeDrop,
  type NativeHandle,
} from './native-binding.js';
import { PayloadPool, type Payload } from './payload-pool.js';
import type { ReceiveRequest, Receiver, ReceiverDrop, ReceiverSubscription } from './receiver.js';
import type { RosSession } from './ros-session.js';
import { handleOf } from './subscription-events.js';

/** Of one batch, once it has a message. */
const BATCH_BYTES = 1024 * 1024;
/** One turn of the event loop delivers so much; then others have theirs. */
const TURN_MESSAGES = 8_192;
const TURN_BYTES = 16 * 1024 * 1024;
/** Small messages share a block of memory. It lives as long as the last of them, so it is small itself. */
const BLOCK_BYTES = 64 * 1024;
/** Memory of payloads from this size on is used again after their commit, without V8's garbage collection. */
const LENT_MIN_BYTES = 32 * 1024;
const MAX_DRAIN = 2 ** 31 - 1;

/** From the shared memory of one machine to a poor link between two. */
export const latencyBoundsMs: readonly number[] = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000,
];

const priorities = { low: 0, normal: 1, high: 2 } as const;

export interface NativeReceiverParts {
  readonly binding: NativeBinding;
  readonly session: RosSession;
  readonly arenaBytes: number;
  /** From the publisher's time stamp to the receipt; messages without one are not counted. */
  readonly latencies: DurationHistogram;
  readonly timers: Timers;
  readonly logger: Logger;
  /** For tests: called with memory that was given back. */
  readonly wipe?: ((memory: Buffer) => void) | undefined;
}

/**
 * Receives on a thread of the add-on: large messages into blocks that are lent to it, all others into an arena, from
 * which batches are copied here. It subscribes with the node of the session, beside rclnodejs, whose executor never sees
 * these subscriptions.
 */
export class NativeReceiver implements Receiver {
  readonly kind = 'native';
  readonly ordersPredecessor = true;
  readonly #handle: NativeHandle;
  readonly #columns;
  readonly #open = new Map<number, Entry>();
  /** Unsubscribed; the add-on may still report drops of them. */
  readonly #closed = new Map<number, Entry>();
  /** Identifiers of publishers, by their number; empty: not known. */
  readonly #publishers = new Map<number, string>();
  /** The batch being delivered: its payloads, and the next one to deliver. */
  #batch: readonly Payload[] = [];
  #at = 0;
  #isScheduled = false;
  #isClosed = false;
  #failure = '';
  readonly #unlisten: () => void;
  readonly #onWaiting: () => void;

  readonly #pool: PayloadPool;

  readonly #parts: NativeReceiverParts;

  constructor(parts: NativeReceiverParts) {
    this.#parts = parts;
    const { memory, columns } = batchColumns();
    this.#columns = columns;
    const { session, logger } = parts;
    this.#onWaiting = guard('received messages', () => this.#turn(), logger);
    this.#handle = parts.binding.open({
      context: handleOf(session.context),
      node: handleOf(session.node),
      nodeName: session.node.name(),
      arenaBytes: parts.arenaBytes,
      columns: memory,
      onWaiting: this.#onWaiting,
    });
    this.#pool = new PayloadPool(this.#handle, parts.arenaBytes, parts.wipe);
    // Its subscriptions must not outlive the node.
    this.#unlisten = session.beforeClose(() => this.close());
  }

  subscribe(_node: Node, request: ReceiveRequest, predecessor?: ReceiverSubscription): ReceiverSubscription {
    const { topic, type, qos, limits } = request;
    const [pkg = '', folder = '', name = ''] = type.split('/');
    const { history, depth, reliability, durability, liveliness } = qos;
    const before = predecessor instanceof Entry ? predecessor.id : 0;
    const isNewest = limits.policy === 'drop-newest' ? 1 : 0;
    const id = this.#handle.subscribe(
      [pkg, folder, name],
      topic,
      [history, depth, reliability, durability, liveliness],
      [limits.queueMaxBytes, isNewest, priorities[limits.priority]],
      before,
    );
    const onMessage = guard(`message of ${topic}`, request.onMessage, this.#parts.logger);
    const entry = new Entry(
      id,
      { ...request, onMessage },
      (max) => this.#drain(id, max),
      () => this.#destroy(id),
    );
    this.#open.set(id, entry);
    return entry;
  }

  review(): void {
    if (!this.#isClosed) this.#pool.trim();
    const failure = this.#isClosed ? '' : this.#handle.failure();
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#parts.logger.error('the native receiver has stopped; restart the recorder', { error: failure });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unlisten();
    this.#handle.close();
    this.#pool.close();
    this.#open.clear();
    this.#closed.clear();
    this.#batch = [];
    this.#at = 0;
  }

  #drain(id: number, maxMessages: number): number {
    if (this.#isClosed) return 0;
    const messages = this.#handle.drain(id, Math.min(maxMessages, MAX_DRAIN));
    this.#deliver(Infinity, Infinity);
    return messages;
  }

  #destroy(id: number): void {
    const entry = this.#open.get(id);
    if (entry === undefined || this.#isClosed) return;
    this.#open.delete(id);
    this.#closed.set(id, entry);
    this.#handle.unsubscribe(id);
  }

  #turn(): void {
    if (this.#isClosed || !this.#deliver(TURN_MESSAGES, TURN_BYTES) || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#parts.timers.soon(() => {
      this.#isScheduled = false;
      this.#onWaiting();
    });
  }

  /**
   * Delivers what waits, in order, also if a listener causes it from inside a message: the batch and the place in it
   * belong to the receiver.
   *
   * @returns True: more waits.
   */
  #deliver(maxMessages: number, maxBytes: number): boolean {
    let messages = 0;
    let bytes = 0;
    for (;;) {
      while (this.#at < this.#batch.length) {
        if (messages >= maxMessages || bytes >= maxBytes) return true;
        const index = this.#at++;
        const payload = present(this.#batch[index]);
        messages++;
        bytes += payload.data.byteLength;
        this.#deliverOne(index, payload);
      }
      if (this.#isClosed || !this.#takeBatch()) return false;
    }
  }

  #deliverOne(index: number, { data, lease }: Payload): void {
    const { subscriptions, receivedAt, sourceAt, publishers } = this.#columns;
    const entry = this.#open.get(subscriptions[index]!);
    if (entry === undefined) {
      lease?.release();
      return;
    }
    const published = sourceAt[index]!;
    const received = receivedAt[index]!;
    // The clock of another machine may be ahead.
    if (published > 0n) this.#parts.latencies.add(Math.max(0, Number(received - published) / 1e6));
    entry.deliver(data, {
      receivedAt: received,
      publishedAt: published > 0n ? published : undefined,
      publisher: this.#publisherOf(publishers[index]!),
      lease,
    });
  }

  /** Publishers beyond those that the add-on tells apart have the number 0. */
  #publisherOf(index: number): string | undefined {
    if (index === 0) return undefined;
    let publisher = this.#publishers.get(index);
    if (publisher === undefined) {
      publisher = this.#handle.publisher(index);
      this.#publishers.set(index, publisher);
    }
    return publisher === '' ? undefined : publisher;
  }

  /** False: nothing waits. */
  #takeBatch(): boolean {
    const { messages, drops } = this.#handle.takeBatch(BATCH_MESSAGES, BATCH_BYTES);
    this.#batch = messages === 0 ? [] : this.#copyBatch(messages);
    this.#at = 0;
    for (const drop of drops ?? []) {
      const entry = this.#open.get(drop.subscription) ?? this.#closed.get(drop.subscription);
      entry?.drop(this.#describe(drop));
    }
    this.#closed.clear();
    return messages > 0;
  }

  #describe({ reason, messages, bytes, firstAt, lastAt, ...lost }: NativeDrop): ReceiverDrop {
    const { publisher = 0, firstNumber, lastNumber } = lost;
    const numbers =
      firstNumber === undefined ? undefined : ([firstNumber, lastNumber ?? firstNumber] as const);
    return {
      ...{ reason, count: messages, bytes, firstAt, lastAt },
      ...defined({ publisher: this.#publisherOf(publisher), numbers }),
    };
  }

  #copyBatch(messages: number): readonly Payload[] {
    const { lengths, blocks } = this.#columns;
    const batch: Payload[] = [];
    for (let first = 0; first < messages;) {
      let end = first;
      let bytes = 0;
      do bytes += lengths[end++]!;
      while (
        end < messages &&
        bytes + lengths[end]! <= BLOCK_BYTES &&
        blocks[end - 1] === 0 &&
        blocks[end] === 0
      );
      const block = blocks[first]!;
      if (block !== 0) batch.push(this.#pool.takeBack(block, bytes));
      // A run of one message that is too large to share memory.
      else if (bytes >= LENT_MIN_BYTES && end === first + 1) batch.push(this.#copyLarge(first, bytes));
      else this.#copyRun(first, end, bytes, batch);
      first = end;
    }
    this.#handle.release();
    return batch;
  }

  #copyLarge(index: number, bytes: number): Payload {
    const payload = this.#pool.allocate(bytes);
    this.#handle.copy(index, 1, payload.data);
    return payload;
  }

  #copyRun(first: number, end: number, bytes: number, batch: Payload[]): void {
    const { lengths } = this.#columns;
    const block = Buffer.allocUnsafeSlow(bytes);
    this.#handle.copy(first, end - first, block);
    for (let index = first, at = 0; index < end; index++) {
      batch.push({ data: block.subarray(at, at + lengths[index]!), lease: undefined });
      at += lengths[index]!;
    }
  }
}

/** One subscription. */
class Entry implements ReceiverSubscription {
  readonly deliver: ReceiveRequest['onMessage'];
  readonly drop: ReceiveRequest['onDropped'];

  constructor(
    readonly id: number,
    { onMessage, onDropped }: ReceiveRequest,
    readonly drain: (maxMessages: number) => number,
    readonly destroy: () => void,
  ) {
    this.deliver = onMessage;
    this.drop = onDropped;
  }
}
