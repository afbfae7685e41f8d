import type { Rclnodejs } from '../../sources/ros/rclnodejs.js';

/** The members of rclnodejs' generated class of std_msgs/msg/String: one string as in C. */
interface StringClass {
  new (): StringMessage;
  readonly refObjectType: { readonly size: number; new (memory: Buffer): { readonly data: string } };
  freeStruct(struct: object): void;
}
interface StringMessage {
  data: string;
  serialize(): Buffer;
  toRawROS(): Buffer;
}

const DOUBLE_BYTES = 8;

function aligned(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}

export interface MarkEventRequestFields {
  readonly label: string;
  readonly seconds_before: number;
  readonly seconds_after: number;
}

export interface MarkEventResponseFields {
  readonly id: string;
  readonly success: boolean;
  readonly message: string;
}

/**
 * The service type holdfast/srv/MarkEvent for rclnodejs, without generated JavaScript. Generated code would
 * have to be made at each install and after each change of the .srv file, in a folder that is read-only by
 * then. Request and response have the layout of the C structs: `{string, float64, float64}` and `{string,
 * bool, string}`, based on the class for one string that rclnodejs always has.
 */
export function markEventType(rcl: Rclnodejs): object {
  const Text = rcl.require('std_msgs/msg/String' as never) as unknown as StringClass;
  const textBytes = Text.refObjectType.size;
  const pointerBytes = textBytes / 3; // data, size, capacity
  const beforeAt = aligned(textBytes, DOUBLE_BYTES);
  const messageAt = aligned(textBytes + 1, pointerBytes);

  class Request {
    readonly #memory = Buffer.alloc(beforeAt + 2 * DOUBLE_BYTES);
    #fields: MarkEventRequestFields = { label: '', seconds_before: 0, seconds_after: 0 };

    /** Memory that the middleware fills; its string is initialised as C expects it. */
    toRawROS(): Buffer {
      new Text().toRawROS().copy(this.#memory);
      return this.#memory;
    }
    get refObject(): Buffer {
      return this.#memory;
    }
    deserialize(memory: Buffer): void {
      this.#fields = {
        label: new Text.refObjectType(memory.subarray(0, textBytes)).data,
        seconds_before: memory.readDoubleLE(beforeAt),
        seconds_after: memory.readDoubleLE(beforeAt + DOUBLE_BYTES),
      };
    }
    toPlainObject(): MarkEventRequestFields {
      return this.#fields;
    }
    static destroyRawROS(message: Request): void {
      Text.freeStruct(new Text.refObjectType(message.refObject.subarray(0, textBytes)));
    }
  }

  class Response {
    readonly #id = new Text();
    readonly #message = new Text();
    readonly #success: boolean;

    constructor({ id, success, message }: Partial<MarkEventResponseFields> = {}) {
      this.#id.data = id ?? '';
      this.#message.data = message ?? '';
      this.#success = success === true;
    }
    /** Points into this object's strings: it must live until it is sent. */
    serialize(): Buffer {
      const memory = Buffer.alloc(messageAt + textBytes);
      this.#id.serialize().copy(memory);
      memory[textBytes] = this.#success ? 1 : 0;
      this.#message.serialize().copy(memory, messageAt);
      return memory;
    }
    toPlainObject(): MarkEventResponseFields {
      return { id: this.#id.data, success: this.#success, message: this.#message.data };
    }
  }

  return class MarkEvent {
    static get Request() {
      return Request;
    }
    static get Response() {
      return Response;
    }
    static type() {
      return { pkgName: 'holdfast', subFolder: 'srv', interfaceName: 'MarkEvent' };
    }
  };
}
