import type { Priority } from '../core/message.js';
import type { ChannelQueue } from './channel-queue.js';

/** Powers of two of the bytes in a queue: up to 2^52, and one level for queues of empty messages. */
const LEVELS = 54;

/**
 * Finds the fullest queue of a class, within a factor of two, without a search through thousands of channels
 * for each message of a flood: queues are filed by the power of two of their bytes.
 */
export class VictimChoice {
  readonly #levels: Record<Priority, Set<ChannelQueue>[]> = {
    high: emptyLevels(),
    normal: emptyLevels(),
    low: emptyLevels(),
  };

  /** Call it whenever the bytes of a queue have changed. */
  update(queue: ChannelQueue): void {
    // A source that waits has the promise that none of its messages is dropped.
    if (queue.rule.policy === 'block') return;
    const level = levelOf(queue);
    if (level === queue.level) return;
    const levels = this.#levels[queue.rule.priority];
    if (queue.level > 0) levels[queue.level]?.delete(queue);
    if (level > 0) levels[level]?.add(queue);
    queue.level = level;
  }

  /** Forgets a queue, before its class or policy changes; {@link update} files it again. */
  remove(queue: ChannelQueue): void {
    if (queue.level > 0) this.#levels[queue.rule.priority][queue.level]?.delete(queue);
    queue.level = 0;
  }

  /**
   * The queue of this class that should lose its oldest message; undefined if all are empty. Among equals it
   * is the queue of the new message: the flooding channel comes most often.
   */
  pick(priority: Priority, newcomer: ChannelQueue): ChannelQueue | undefined {
    const levels = this.#levels[priority];
    for (let level = LEVELS - 1; level > 0; level--) {
      const queues = levels[level] as Set<ChannelQueue>;
      if (queues.size === 0) continue;
      if (queues.has(newcomer)) return newcomer;
      for (const queue of queues) return queue;
    }
    return undefined;
  }
}

function emptyLevels(): Set<ChannelQueue>[] {
  return Array.from({ length: LEVELS }, () => new Set<ChannelQueue>());
}

/** 0: empty; otherwise 1 + floor(log2(bytes)). */
function levelOf({ length, bytes }: ChannelQueue): number {
  if (length === 0) return 0;
  if (bytes < 2 ** 31) return 32 - Math.clz32(bytes | 1);
  return Math.min(LEVELS - 1, 1 + Math.floor(Math.log2(bytes)));
}
