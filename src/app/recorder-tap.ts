import { Emitter } from '../core/emitter.js';
import type { Unlisten } from '../core/events.js';
import type { Logger } from '../core/logger.js';
import type { Message } from '../core/message.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';

/** Hands every queued message to whoever listens; connected to the buffer only while somebody does. */
export class MessageTap {
  private readonly emitter: Emitter<Message>;
  private buffer: IngestBuffer | undefined;

  constructor(logger: Logger) {
    this.emitter = new Emitter('messages', logger);
  }

  listen(listener: (message: Message) => void): Unlisten {
    const unlisten = this.emitter.listen(listener);
    this.connect();
    return () => {
      unlisten();
      this.connect();
    };
  }

  /** Taps this buffer from now on; undefined: none. */
  attach(buffer: IngestBuffer | undefined): void {
    if (this.buffer) this.buffer.onQueued = undefined;
    this.buffer = buffer;
    this.connect();
  }

  private connect(): void {
    if (!this.buffer) return;
    const { emitter } = this;
    this.buffer.onQueued = emitter.isHeard ? (message) => emitter.emit(message) : undefined;
  }
}
