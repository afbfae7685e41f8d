import type { FlowControl } from '../core/source.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';

/**
 * Backpressure for sources that can wait: closed above the high mark, open again below half of it; closed too
 * while `hasRoom` says no. The recorder calls {@link update} after every commit and whenever there may be room
 * again; a source asks before every message.
 */
export class BufferFlow implements FlowControl {
  private waiting: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(
    private readonly buffer: IngestBuffer,
    private highBytes: number,
    private highMessages: number,
    private readonly hasRoom: () => boolean = () => true,
  ) {}

  /** A source was told to wait and still does. */
  get isClosed(): boolean {
    return this.waiting !== undefined;
  }

  /** Moves the high marks. */
  limit(highBytes: number, highMessages: number): void {
    this.highBytes = highBytes;
    this.highMessages = highMessages;
    this.update();
  }

  whenReady(): Promise<void> | undefined {
    const isLow = this.buffer.bytes < this.highBytes && this.buffer.messages < this.highMessages;
    if (isLow && this.hasRoom()) return undefined;
    if (!this.waiting) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.waiting = { promise, resolve };
    }
    return this.waiting.promise;
  }

  /** Nobody is to wait any more: the sources have ended. */
  release(): void {
    this.waiting?.resolve();
    this.waiting = undefined;
  }

  /** Lets waiting sources go on once there is room. */
  update(): void {
    if (!this.waiting) return;
    if (this.buffer.bytes > this.highBytes / 2 || this.buffer.messages > this.highMessages / 2) return;
    if (!this.hasRoom()) return;
    this.waiting.resolve();
    this.waiting = undefined;
  }
}
