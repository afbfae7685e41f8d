import type { Clock } from '../../core/clock.js';
import type { SourceEvent } from '../../core/source.js';
import type { Problems } from './problems.js';
import type { ReceiverDrop } from './receiver.js';

/** The facts with which losses are reported. */
export interface LossyTopic {
  readonly topic: string;
  readonly type: string;
  /** Wall clock; since when its messages cannot be recorded. {@link TopicLosses} sets it. */
  deafSince: bigint | undefined;
}

export interface LossParts<T> {
  readonly problems: Problems;
  readonly clock: Clock;
  readonly emit: (event: SourceEvent) => void;
  /** The robots whose recordings the loss concerns: those of a publisher, or of the topic. */
  readonly robotsOf: (one: T, publisher?: string) => readonly string[];
  /** The full name of the node that a publisher belongs to; undefined: not known. */
  readonly nodeOf: (one: T, publisher: string) => string | undefined;
}

const LOST = 'the middleware lost messages on their way';

/** Turns messages that cannot be received, or were lost in transit, into problems and gaps. */
export class TopicLosses<T extends LossyTopic> {
  readonly #parts: LossParts<T>;

  constructor(parts: LossParts<T>) {
    this.#parts = parts;
  }

  /**
   * Its messages cannot be received: one gap without count reports it at the start, another one the duration
   * at the end.
   */
  deaf(one: T, detail: string): void {
    const { problems, clock } = this.#parts;
    const isNew = problems.set('no-type-support', one.topic, `${one.type} cannot be received: ${detail}`);
    one.deafSince ??= clock.now();
    if (isNew) this.#gap(one, 'source_unreadable', one.deafSince, `no type support for ${one.type}`);
  }

  /** They can be received again, or have ended. */
  hearing(one: T): void {
    if (one.deafSince === undefined) return;
    const detail = `no type support for ${one.type} until now`;
    this.#gap(one, 'source_unreadable', one.deafSince, detail);
    one.deafSince = undefined;
    this.#parts.problems.clear('no-type-support', one.topic);
  }

  /** The middleware reports this many lost messages. */
  lost(one: T, count: number): void {
    this.#parts.problems.set('messages-lost', one.topic, LOST);
    this.#gap(one, 'source_lost', this.#parts.clock.now(), LOST, count);
  }

  /** The receiver took them and could not keep them, or saw that they are missing. */
  dropped(one: T, drop: ReceiverDrop): void {
    const { reason, count, bytes, firstAt, lastAt, publisher } = drop;
    const isLost = reason === 'source_lost';
    const detail = isLost ? this.#describe(one, drop) : 'dropped by the receiver: the recorder was too slow';
    if (isLost) this.#parts.problems.set('messages-lost', one.topic, LOST);
    for (const robot of this.#parts.robotsOf(one, publisher)) {
      const times = { firstTime: firstAt, lastTime: lastAt };
      this.#parts.emit({
        kind: 'gap',
        gap: { reason, robot, topic: one.topic, count, ...(isLost ? {} : { bytes }), ...times, detail },
      });
    }
  }

  /** Nothing came in this span, although the topic has a publisher and usually sends messages. */
  notReceived(one: T, firstTime: bigint, lastTime: bigint, detail: string): void {
    for (const robot of this.#parts.robotsOf(one)) {
      const gap = { reason: 'not_received', robot, topic: one.topic, firstTime, lastTime, detail } as const;
      this.#parts.emit({ kind: 'gap', gap });
    }
  }

  #describe(one: T, { publisher, numbers }: ReceiverDrop): string {
    if (publisher === undefined) return LOST;
    const node = this.#parts.nodeOf(one, publisher) ?? `the publisher ${publisher}`;
    const [first, last] = numbers ?? [];
    if (first === undefined) return `${LOST}, of ${node}`;
    return `${LOST}, of ${node}: ${first === last ? `number ${first}` : `numbers ${first} to ${last}`}`;
  }

  #gap(
    one: T,
    reason: 'source_unreadable' | 'source_lost',
    since: bigint,
    detail: string,
    count?: number,
  ): void {
    const { clock, emit, robotsOf } = this.#parts;
    const now = clock.now();
    const firstTime = since < now ? since : now;
    for (const robot of robotsOf(one)) {
      const gap = { reason, robot, topic: one.topic, firstTime, lastTime: now, detail };
      emit({ kind: 'gap', gap: count === undefined ? gap : { ...gap, count } });
    }
  }
}
