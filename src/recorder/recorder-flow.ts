import type { FlowControl } from '../core/source.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';

/**
 * Backpressure for sources that support it: closed above the high mark, open again below half of it, and
 * closed while `hasRoom` is false. The recorder calls {@link update} after every commit and whenever there
 * may be room again; a source asks before every message.
 */
export class BufferFlow implements FlowControl {
  #waiting: { promise: Promise<void>; resolve: () => void } | undefined;

  readonly #buffer: IngestBuffer;
  #highBytes: number;
  #highMessages: number;
  readonly #hasRoom: () => boolean;

  constructor(
    buffer: IngestBuffer,
    highBytes: number,
    highMessages: number,
    hasRoom: () => boolean = () => true,
  ) {
    this.#buffer = buffer;
    this.#highBytes = highBytes;
    this.#highMessages = highMessages;
    this.#hasRoom = hasRoom;
  }

  /** A source is waiting. */
  get isClosed(): boolean {
    return this.#waiting !== undefined;
  }

  /** Changes the high marks. */
  limit(highBytes: number, highMessages: number): void {
    this.#highBytes = highBytes;
    this.#highMessages = highMessages;
    this.update();
  }

  whenReady(): Promise<void> | undefined {
    const isLow = this.#buffer.bytes < this.#highBytes && this.#buffer.messages < this.#highMessages;
    if (isLow && this.#hasRoom()) return undefined;
    if (!this.#waiting) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.#waiting = { promise, resolve };
    }
    return this.#waiting.promise;
  }

  /** No source waits any more: the sources have ended. */
  release(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Lets waiting sources continue once there is room. */
  update(): void {
    if (!this.#waiting) return;
    if (this.#buffer.bytes > this.#highBytes / 2 || this.#buffer.messages > this.#highMessages / 2) return;
    if (!this.#hasRoom()) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}
