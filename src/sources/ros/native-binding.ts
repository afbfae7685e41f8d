import type { ReceiverDrop } from './receiver.js';

/** Messages of one batch at most. */
export const BATCH_MESSAGES = 4_096;

/** What the add-on was built for. */
export interface NativeFacts {
  /** Of this package. */
  readonly version: string;
  /** `jazzy`, ... */
  readonly distro: string;
  /** Version of the package rcl: its structures may be other ones in another minor version. */
  readonly rcl: string;
}

export interface NativeDrop {
  readonly subscription: number;
  readonly reason: ReceiverDrop['reason'];
  readonly messages: number;
  readonly bytes: number;
  readonly firstAt: bigint;
  readonly lastAt: bigint;
  /** Of `source_lost`: the publisher by its number in the columns; absent: several. */
  readonly publisher?: number;
  /** The publisher's numbers of the first and the last message that is missing. */
  readonly firstNumber?: number;
  readonly lastNumber?: number;
}

export interface NativeBatch {
  readonly messages: number;
  /** More waits; the caller continues by itself. */
  readonly more: boolean;
  readonly drops?: readonly NativeDrop[];
}

export interface NativeTotals {
  readonly taken: number;
  readonly dropped: number;
  readonly failures: number;
  /** Bytes of the arena in use. */
  readonly usedBytes: number;
  readonly waitingMessages: number;
}

/** Columns of a batch, each of {@link BATCH_MESSAGES}: the add-on writes them. */
export interface BatchColumns {
  readonly receivedAt: BigInt64Array;
  readonly sourceAt: BigInt64Array;
  readonly sequences: BigUint64Array;
  readonly subscriptions: Uint32Array;
  readonly lengths: Uint32Array;
  readonly publishers: Uint32Array;
  /** The block that the message lies in, from its beginning on; 0: it lies in the arena. */
  readonly blocks: Uint32Array;
}

/** One receiver of the add-on: subscriptions of one node, a thread and an arena. */
export interface NativeHandle {
  /**
   * Throws if the type support is not installed, or with what the middleware says.
   *
   * @param qos - History, depth, reliability, durability, liveliness in rmw's numbers.
   * @param limits - Bytes that may wait, 1 to drop the newest (0: the oldest), class (0 low, 1 normal, 2 high).
   * @param predecessor - 0: none.
   */
  subscribe(
    type: readonly [pkg: string, folder: string, name: string],
    topic: string,
    qos: readonly number[],
    limits: readonly [maxBytes: number, dropNewest: number, priority: number],
    predecessor: number,
  ): number;
  unsubscribe(subscription: number): void;
  /** Takes at once, on this thread, into the arena; returns how many messages. */
  drain(subscription: number, maxMessages: number): number;
  /** Fills the columns. The caller copies what lies in the arena, then releases the batch. */
  takeBatch(maxMessages: number, maxBytes: number): NativeBatch;
  /** Copies `count` messages of the batch, from message `first` on, one behind the other. */
  copy(first: number, count: number, target: Uint8Array): void;
  release(): void;
  /**
   * Lends memory for one large message, which is taken straight into it; returns the number of the block. The add-on uses
   * and keeps it until a batch or {@link trimBlocks} returns the number, or until the receiver is closed.
   */
  addBlock(memory: Uint8Array): number;
  /** Returns the blocks that no message needed since the last call. */
  trimBlocks(): readonly number[];
  /**
   * The identifier of a publisher by its number in the columns: 32 hex digits, as the graph has it. Empty: the
   * publisher is not known any more.
   */
  publisher(index: number): string;
  totals(): NativeTotals;
  /** Why its thread ended by itself; empty: it did not. */
  failure(): string;
  /** Ends the thread and the subscriptions. Idempotent. */
  close(): void;
}

export interface NativeOptions {
  /** Of rclnodejs; used until the receiver is closed. */
  readonly context: unknown;
  readonly node: unknown;
  /** Proves that the node was found behind its handle. */
  readonly nodeName: string;
  readonly arenaBytes: number;
  /** Memory of the columns in the order of {@link BatchColumns}. */
  readonly columns: ArrayBuffer;
  /** On the thread of JavaScript: a batch or drops wait. Once until the next `takeBatch`. */
  readonly onWaiting: () => void;
}

/** The add-on in `native/`. */
export interface NativeBinding {
  readonly facts: NativeFacts;
  open(options: NativeOptions): NativeHandle;
}

/** Memory for the columns of a batch, and views of it. */
export function batchColumns(): { memory: ArrayBuffer; columns: BatchColumns } {
  const size = BATCH_MESSAGES;
  const memory = new ArrayBuffer(size * 40);
  return {
    memory,
    columns: {
      receivedAt: new BigInt64Array(memory, 0, size),
      sourceAt: new BigInt64Array(memory, size * 8, size),
      sequences: new BigUint64Array(memory, size * 16, size),
      subscriptions: new Uint32Array(memory, size * 24, size),
      lengths: new Uint32Array(memory, size * 28, size),
      publishers: new Uint32Array(memory, size * 32, size),
      blocks: new Uint32Array(memory, size * 36, size),
    },
  };
}
