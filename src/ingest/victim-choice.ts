import type { Priority } from '../core/message.js';
import type { ChannelQueue } from './channel-queue.js';

interface Victim {
  queue: ChannelQueue;
  bytesWhenChosen: number;
}

/**
 * Remembers the fullest queue of a class, so that a flood of drops does not search thousands of channels
 * for each: a choice holds until the queue has lost half of what it held.
 */
export class VictimChoice {
  private readonly chosen = new Map<Priority, Victim>();

  /**
   * The queue of this class that should lose its oldest message; undefined where all are empty. The
   * newcomer itself is it, once it has more than the one chosen before: who floods is who comes most.
   */
  pick(priority: Priority, queues: Iterable<ChannelQueue>, newcomer: ChannelQueue): ChannelQueue | undefined {
    const current = this.chosen.get(priority);
    const mayLose = newcomer.rule.priority === priority && newcomer.rule.policy !== 'block';
    if (current && mayLose && newcomer.bytes > current.queue.bytes) {
      this.chosen.set(priority, { queue: newcomer, bytesWhenChosen: newcomer.bytes });
      return newcomer;
    }
    if (current && current.queue.length > 0 && current.queue.bytes * 2 >= current.bytesWhenChosen) {
      return current.queue;
    }
    let fullest: ChannelQueue | undefined;
    for (const queue of queues) {
      // A source that waits was promised that nothing of its own is dropped.
      if (queue.rule.priority !== priority || queue.rule.policy === 'block' || queue.length === 0) continue;
      if (!fullest || queue.bytes > fullest.bytes) fullest = queue;
    }
    if (fullest) this.chosen.set(priority, { queue: fullest, bytesWhenChosen: fullest.bytes });
    else this.chosen.delete(priority);
    return fullest;
  }
}
