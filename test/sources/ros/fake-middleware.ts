import { describeError } from '../../../src/core/errors.js';
import {
  BATCH_MESSAGES,
  type NativeBatch,
  type NativeBinding,
  type NativeDrop,
  type NativeHandle,
  type NativeOptions,
} from '../../../src/sources/ros/native-binding.js';

interface FakeReader {
  readonly topic: string;
  readonly untaken: Buffer[];
  readonly predecessor: number;
}

interface Taken {
  readonly subscription: number;
  readonly data: Buffer;
  readonly at: bigint;
}

const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** The add-on, in JavaScript: what it takes is handed over in batches of at most `batchMessages`. */
export class FakeBinding implements NativeBinding {
  readonly facts = { version: '0', distro: 'jazzy', rcl: '9.2.0' };
  readonly readers = new Map<number, FakeReader>();
  readonly drops: NativeDrop[] = [];
  options: NativeOptions | undefined;
  isClosed = false;
  threadFailure = '';
  batches = 0;
  /** Identifiers by number; every message is of the publisher with the number `from`. */
  readonly publishers: string[] = [''];
  from = 0;
  /** How long each message was on its way. */
  ageNs = 0n;
  #lastId = 0;
  #taken: Taken[] = [];
  #batch: Taken[] = [];
  #isWoken = false;
  /** Memory that it was lent, by number. */
  readonly #lent = new Map<number, Uint8Array>();
  #lastBlock = 0;

  readonly #batchMessages: number;

  constructor(batchMessages = 7) {
    this.#batchMessages = batchMessages;
  }

  publish(topic: string, data: Buffer): void {
    for (const reader of this.readers.values()) if (reader.topic === topic) reader.untaken.push(data);
    setImmediate(() => {
      if (this.isClosed) return;
      for (const id of this.readers.keys()) this.#take(id, 64);
      this.wake();
    });
  }

  /** As the thread of the receiver does it. */
  wake(): void {
    if (this.#isWoken || this.isClosed) return;
    this.#isWoken = true;
    setImmediate(() => {
      try {
        if (!this.isClosed) this.options?.onWaiting();
      } catch (error) {
        throw new Error(`a throw reached the add-on: ${describeError(error)}`, { cause: error });
      }
    });
  }

  open(options: NativeOptions): NativeHandle {
    this.options = options;
    return {
      subscribe: ([pkg], topic, _qos, _limits, predecessor) => {
        if (pkg !== 'std_msgs') throw new Error(`lib${pkg}__rosidl_typesupport_c.so: cannot open`);
        this.readers.set(++this.#lastId, { topic, untaken: [], predecessor });
        return this.#lastId;
      },
      unsubscribe: (id) => {
        this.readers.delete(id);
        this.#taken = this.#taken.filter(({ subscription }) => subscription !== id);
      },
      drain: (id, max) => this.#take(id, max),
      takeBatch: (max) => this.#takeBatch(options, Math.min(max, this.#batchMessages)),
      copy: (first, count, target) => {
        let at = 0;
        for (const { data } of this.#batch.slice(first, first + count)) {
          target.set(data, at);
          at += data.length;
        }
      },
      addBlock: (memory) => {
        this.#lent.set(++this.#lastBlock, memory);
        return this.#lastBlock;
      },
      trimBlocks: () => [],
      publisher: (index) => this.publishers[index] ?? '',
      release: () => {
        this.#batch = [];
      },
      totals: () => ({
        taken: 0,
        dropped: 0,
        failures: 0,
        usedBytes: 0,
        waitingMessages: this.#taken.length,
      }),
      failure: () => this.threadFailure,
      close: () => {
        this.isClosed = true;
      },
    };
  }

  #take(id: number, max: number): number {
    const reader = this.readers.get(id);
    if (reader === undefined) return 0;
    if (reader.predecessor !== 0) this.#take(reader.predecessor, Infinity);
    const taken = reader.untaken.splice(0, max);
    this.#taken.push(...taken.map((data) => ({ subscription: id, data, at: now() })));
    return taken.length;
  }

  /** 0: it lies in the arena. */
  #placeInBlock(data: Buffer): number {
    for (const [number, memory] of this.#lent) {
      if (data.length < 32 * 1024 || memory.length < data.length) continue;
      this.#lent.delete(number);
      memory.set(data);
      return number;
    }
    return 0;
  }

  #takeBatch({ columns }: NativeOptions, max: number): NativeBatch {
    this.batches++;
    this.#batch = this.#taken.splice(0, max);
    const received = new BigInt64Array(columns, 0, BATCH_MESSAGES);
    const source = new BigInt64Array(columns, BATCH_MESSAGES * 8, BATCH_MESSAGES);
    const subscriptions = new Uint32Array(columns, BATCH_MESSAGES * 24, BATCH_MESSAGES);
    const lengths = new Uint32Array(columns, BATCH_MESSAGES * 28, BATCH_MESSAGES);
    const publishers = new Uint32Array(columns, BATCH_MESSAGES * 32, BATCH_MESSAGES);
    const blocks = new Uint32Array(columns, BATCH_MESSAGES * 36, BATCH_MESSAGES);
    for (const [index, { subscription, data, at }] of this.#batch.entries()) {
      received[index] = at;
      source[index] = at - this.ageNs;
      subscriptions[index] = subscription;
      lengths[index] = data.length;
      publishers[index] = this.from;
      blocks[index] = this.#placeInBlock(data);
    }
    const more = this.#taken.length > 0;
    this.#isWoken = more;
    const drops = this.drops.splice(0);
    return { messages: this.#batch.length, more, ...(drops.length > 0 ? { drops } : {}) };
  }
}
