import type { FlowControl } from '../core/source.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';

/**
 * Backpressure for sources that can wait: closed above the high mark, open again below half of it. The
 * recorder calls {@link update} after every commit; a source asks before every message.
 */
export class BufferFlow implements FlowControl {
  private waiting: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(
    private readonly buffer: IngestBuffer,
    private highBytes: number,
    private highMessages: number,
  ) {}

  /** Moves the high marks. */
  limit(highBytes: number, highMessages: number): void {
    this.highBytes = highBytes;
    this.highMessages = highMessages;
    this.update();
  }

  whenReady(): Promise<void> | undefined {
    if (this.buffer.bytes < this.highBytes && this.buffer.messages < this.highMessages) return undefined;
    if (!this.waiting) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.waiting = { promise, resolve };
    }
    return this.waiting.promise;
  }

  /** Lets waiting sources go on once there is room. */
  update(): void {
    if (!this.waiting) return;
    if (this.buffer.bytes > this.highBytes / 2 || this.buffer.messages > this.highMessages / 2) return;
    this.waiting.resolve();
    this.waiting = undefined;
  }
}
