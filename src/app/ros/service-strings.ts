import type { Rclnodejs } from '../../sources/ros/rclnodejs.js';

/** The members of rclnodejs' generated class of std_msgs/msg/String: one string as in C. */
export interface StringClass {
  new (): StringMessage;
  readonly refObjectType: { readonly size: number; new (memory: Buffer): { readonly data: string } };
  freeStruct(struct: object): void;
}

interface StringMessage {
  data: string;
  serialize(): Buffer;
  toRawROS(): Buffer;
}

/** The class for one string that rclnodejs always has. */
export function stringClass(rcl: Rclnodejs): StringClass {
  const found: unknown = rcl.require('std_msgs/msg/String' as never);
  return found as StringClass;
}

/** The first offset from this one that is a multiple of the alignment. */
export function aligned(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}

/** The fields of a response with the layout `{string, bool, string}`. */
export interface TextAnswer {
  readonly text: string;
  readonly success: boolean;
  readonly message: string;
}

/** Memory and strings of such a response, as C expects them. */
export class TextAnswerStruct {
  readonly #text: StringMessage;
  readonly #message: StringMessage;
  readonly #success: boolean;
  readonly #textBytes: number;
  readonly #messageAt: number;

  constructor(strings: StringClass, { text, success, message }: TextAnswer) {
    this.#textBytes = strings.refObjectType.size;
    const pointerBytes = this.#textBytes / 3; // data, size, capacity
    this.#messageAt = aligned(this.#textBytes + 1, pointerBytes);
    this.#text = new strings();
    this.#message = new strings();
    this.#text.data = text;
    this.#message.data = message;
    this.#success = success;
  }

  /** Points into this object's strings: it must live until it is sent. */
  serialize(): Buffer {
    const memory = Buffer.alloc(this.#messageAt + this.#textBytes);
    this.#text.serialize().copy(memory);
    memory[this.#textBytes] = this.#success ? 1 : 0;
    this.#message.serialize().copy(memory, this.#messageAt);
    return memory;
  }

  answer(): TextAnswer {
    return { text: this.#text.data, success: this.#success, message: this.#message.data };
  }
}
