import { describeError } from '../core/errors.js';
import type { SegmentId } from '../core/segment-id.js';
import { writeHead, type WalHead } from './wal-head.js';
import type { ClosedSegment, WalPorts } from './wal-ports.js';

/** Remembered in head.json; each is a segment that had taken commits before one failed. */
const MAX_CUTS = 1000;

/** What head.json says of the WAL as it is now. */
type HeadFacts = Omit<WalHead, 'version' | 'cuts' | 'closed'>;

/**
 * Hands closed segments over to sealing, which ends with their removal. What must outlive a segment is in head.json
 * before: the numbers, where a segment was cut, and whether everything was ended properly.
 */
export class SegmentHandover {
  /** Closed, and not handed to sealing because head.json could not be written. */
  readonly #waiting: ClosedSegment[] = [];
  readonly #cuts = new Map<SegmentId, number>();
  /** The head on disk says that everything was ended properly; to be taken back before the next commit. */
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

  /** Records of this segment from the sequence on belong to a later one. */
  cut(id: SegmentId, atSequence: number): void {
    this.#cuts.set(id, atSequence);
  }

  /** Takes a closed segment, and hands it over as soon as head.json can be written. */
  async add(segment: ClosedSegment): Promise<void> {
    this.#waiting.push(segment);
    await this.retry();
  }

  /** Writes head.json and hands over what waits. A head that cannot be written is logged, and what waits stays. */
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

  /** Takes {@link end} back before anything is recorded again. Throws what the disk says. */
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
