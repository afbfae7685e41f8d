import { Emitter } from '../core/emitter.js';
import type { Unlisten } from '../core/listen.js';
import type { Logger } from '../core/logger.js';
import type { Message } from '../core/message.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';

/** Passes every queued message to the listeners; connected to the buffer only while there is one. */
export class MessageTap {
  readonly #emitter: Emitter<Message>;
  #buffer: IngestBuffer | undefined;

  constructor(logger: Logger) {
    this.#emitter = new Emitter('messages', logger);
  }

  listen(listener: (message: Message) => void): Unlisten {
    const unlisten = this.#emitter.listen(listener);
    this.#connect();
    return () => {
      unlisten();
      this.#connect();
    };
  }

  /** Uses this buffer from now on; undefined: none. */
  attach(buffer: IngestBuffer | undefined): void {
    if (this.#buffer) this.#buffer.onQueued = undefined;
    this.#buffer = buffer;
    this.#connect();
  }

  #connect(): void {
    if (!this.#buffer) return;
    const emitter = this.#emitter;
    this.#buffer.onQueued = emitter.isHeard ? (message) => emitter.emit(message) : undefined;
  }
}
