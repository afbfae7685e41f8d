import type { PayloadLease } from '../../core/message.js';
import { present } from '../../core/present.js';

/** Messages with the time they came; bounded in number and size together. */
const MAX_MESSAGES = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Latched messages kept for robots that join a topic later. */
const MAX_LATCHED = 64;
/** For all topics of a domain together. */
const MAX_BYTES_TOGETHER = 64 * 1024 * 1024;

export interface HeldMessage {
  readonly data: Buffer;
  /** Nanoseconds since the Unix epoch. */
  readonly at: bigint;
  /** When it was published; nanoseconds since the Unix epoch. */
  readonly publishedAt: bigint;
  /** As `MessageInfo` has it. */
  readonly publisher: string | undefined;
  /** Absent once it is held. */
  readonly lease?: PayloadLease | undefined;
}

/** What the topics of a domain may hold together. */
export class HoldBudget {
  #bytes = 0;

  /** False: there is no room for this many more. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > MAX_BYTES_TOGETHER) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Messages whose robot is not known yet, in order and bounded. */
export class HeldMessages {
  #messages: HeldMessage[] = [];
  #bytes = 0;
  readonly #budget: HoldBudget | undefined;

  constructor(budget?: HoldBudget) {
    this.#budget = budget;
  }

  /** @returns False if it is full: the message is not kept. */
  add(message: HeldMessage): boolean {
    const { byteLength } = message.data;
    if (this.#messages.length >= MAX_MESSAGES || this.#bytes + byteLength > MAX_BYTES) return false;
    if (this.#budget?.take(byteLength) === false) return false;
    this.#messages.push(message);
    this.#bytes += byteLength;
    return true;
  }

  /** Keeps the newest; the oldest makes room. A message larger than all the room is not kept. */
  keepLatest(message: HeldMessage): void {
    while (this.#messages.length > 0 && (this.#messages.length >= MAX_LATCHED || !this.#fits(message))) {
      const { byteLength } = present(this.#messages.shift()).data;
      this.#bytes -= byteLength;
      this.#budget?.give(byteLength);
    }
    if (this.#fits(message)) this.add(message);
  }

  get all(): readonly HeldMessage[] {
    return this.#messages;
  }

  /** Drops all of them and frees their room. */
  clear(): void {
    this.#messages = [];
    this.#budget?.give(this.#bytes);
    this.#bytes = 0;
  }

  #fits({ data }: HeldMessage): boolean {
    return this.#bytes + data.byteLength <= MAX_BYTES;
  }
}
