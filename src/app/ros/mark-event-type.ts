import type { Rclnodejs } from '../../sources/ros/rclnodejs.js';
import { aligned, stringClass, TextAnswerStruct } from './service-strings.js';

const DOUBLE_BYTES = 8;

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
  const Text = stringClass(rcl);
  const textBytes = Text.refObjectType.size;
  const beforeAt = aligned(textBytes, DOUBLE_BYTES);

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
    readonly #struct: TextAnswerStruct;

    constructor({ id = '', success = false, message = '' }: Partial<MarkEventResponseFields> = {}) {
      this.#struct = new TextAnswerStruct(Text, { text: id, success, message });
    }
    serialize(): Buffer {
      return this.#struct.serialize();
    }
    toPlainObject(): MarkEventResponseFields {
      const { text: id, success, message } = this.#struct.answer();
      return { id, success, message };
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
