import type { Rclnodejs } from '../../sources/ros/rclnodejs.js';
import { stringClass, TextAnswerStruct } from './service-strings.js';

export interface SetTagsRequestFields {
  readonly tags: string;
}

export interface SetTagsResponseFields {
  readonly tags: string;
  readonly success: boolean;
  readonly message: string;
}

/**
 * The service type holdfast/srv/SetTags for rclnodejs, without generated JavaScript, as in
 * `mark-event-type.ts`. The layouts are `{string}` and `{string, bool, string}`.
 */
export function setTagsType(rcl: Rclnodejs): object {
  const Text = stringClass(rcl);
  const textBytes = Text.refObjectType.size;

  class Request {
    readonly #memory = Buffer.alloc(textBytes);
    #fields: SetTagsRequestFields = { tags: '' };

    /** Memory that the middleware fills; its string is initialised as C expects it. */
    toRawROS(): Buffer {
      new Text().toRawROS().copy(this.#memory);
      return this.#memory;
    }
    get refObject(): Buffer {
      return this.#memory;
    }
    deserialize(memory: Buffer): void {
      this.#fields = { tags: new Text.refObjectType(memory.subarray(0, textBytes)).data };
    }
    toPlainObject(): SetTagsRequestFields {
      return this.#fields;
    }
    static destroyRawROS(message: Request): void {
      Text.freeStruct(new Text.refObjectType(message.refObject.subarray(0, textBytes)));
    }
  }

  class Response {
    readonly #struct: TextAnswerStruct;

    constructor({ tags = '', success = false, message = '' }: Partial<SetTagsResponseFields> = {}) {
      this.#struct = new TextAnswerStruct(Text, { text: tags, success, message });
    }
    serialize(): Buffer {
      return this.#struct.serialize();
    }
    toPlainObject(): SetTagsResponseFields {
      const { text: tags, success, message } = this.#struct.answer();
      return { tags, success, message };
    }
  }

  return class SetTags {
    static get Request() {
      return Request;
    }
    static get Response() {
      return Response;
    }
    static type() {
      return { pkgName: 'holdfast', subFolder: 'srv', interfaceName: 'SetTags' };
    }
  };
}
