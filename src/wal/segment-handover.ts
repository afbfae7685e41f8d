import { describeError } from '../core/errors.js';
import type { SegmentId } from '../core/segment-id.js';
import { writeHead, type WalHead } from './wal-head.js';
import type { ClosedSegment, WalPorts } from './wal-ports.js';

/** Maximum cuts in head.json. Each stands for a segment that had commits before one failed. */
const MAX_CUTS = 1000;

/** The present state of the WAL for head.json. */
type HeadFacts = Omit<WalHead, 'version' | 'cuts' | 'closed'>;

/**
 * Hands closed segments over to sealing, which finally removes them. Before that, head.json holds what
 * must outlive a segment: the numbers, the cut of a segment, and whether every segment ended properly.
 */
export class SegmentHandover {
  /** Closed segments that wait because head.json could not be written. */
  readonly #waiting: ClosedSegment[] = [];
  readonly #cuts = new Map<SegmentId, number>();
  /** The head on disk states a proper end. It must be withdrawn before the next commit. */
  #ended = false;

  readonly #root: string;
  readonly #ports: Pick<WalPorts, 'fs' | 'logger' | 'onClosed'>;
  readonly #facts: () => HeadFacts;

  constructor(root: string, ports: Pick<WalPorts, 'fs' | 'logger' | 'onClosed'>, facts: () => HeadFacts) {
    this.#root = root;
    this.#ports = ports;
    this.#facts = facts;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Records of this segment from the sequence on belong to a later segment. */
  cut(id: SegmentId, atSequence: number): void {
    this.#cuts.set(id, atSequence);
  }

  /** Takes a closed segment and hands it over as soon as head.json can be written. */
  async add(segment: ClosedSegment): Promise<void> {
    this.#waiting.push(segment);
    await this.retry();
  }

  /**
   * Writes head.json and hands the waiting segments over. If the write fails, it is logged and the segments
   * keep waiting.
   */
  async retry(): Promise<void> {
    try {
      await writeHead(this.#ports.fs, this.#root, this.#head());
    } catch (error) {
      this.#ports.logger.warn('cannot write head.json; closed segments stay unsealed until it works', {
        waiting: this.#waiting.length,
        error: describeError(error),
      });
      return;
    }
    for (const segment of this.#waiting.splice(0)) this.#ports.onClosed(segment);
  }

  /** Nothing is recorded from here on. `properly`: the last segment has its end mark. */
  async end(properly: boolean): Promise<void> {
    this.#ended = properly;
    await this.retry();
  }

  /** Withdraws {@link end} before anything is recorded again. Throws the error of the disk. */
  async begin(): Promise<void> {
    if (!this.#ended) return;
    this.#ended = false;
    try {
      await writeHead(this.#ports.fs, this.#root, this.#head());
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }

  #head(): WalHead {
    return {
      version: 1,
      ...this.#facts(),
      cuts: Object.fromEntries([...this.#cuts].slice(-MAX_CUTS)),
      closed: this.#ended,
    };
  }
}
