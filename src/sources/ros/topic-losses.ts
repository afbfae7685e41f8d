import type { Clock } from '../../core/clock.js';
import type { SourceEvent } from '../../core/source.js';
import type { Problems } from './problems.js';

/** What losses are told about. */
export interface LossyTopic {
  readonly topic: string;
  readonly type: string;
  /** Wall clock; since when its messages cannot be recorded. Kept here by {@link TopicLosses}. */
  deafSince: bigint | undefined;
}

export interface LossParts<T> {
  readonly problems: Problems;
  readonly clock: Clock;
  readonly emit: (event: SourceEvent) => void;
  /** The robots whose recordings the loss concerns. */
  readonly robotsOf: (one: T) => readonly string[];
}

/** Turns what cannot be received, or was lost on its way, into problems and gaps. */
export class TopicLosses<T extends LossyTopic> {
  constructor(private readonly parts: LossParts<T>) {}

  /** Its messages cannot be received: a gap without count says so, and another one at the end how long. */
  deaf(one: T, detail: string): void {
    const { problems, clock } = this.parts;
    const isNew = problems.set('no-type-support', one.topic, `${one.type} cannot be received: ${detail}`);
    one.deafSince ??= clock.now();
    if (isNew) this.gap(one, 'source_unreadable', one.deafSince, `no type support for ${one.type}`);
  }

  /** They can be received again, or are no more. */
  hearing(one: T): void {
    if (one.deafSince === undefined) return;
    const detail = `no type support for ${one.type} until now`;
    this.gap(one, 'source_unreadable', one.deafSince, detail);
    one.deafSince = undefined;
    this.parts.problems.clear('no-type-support', one.topic);
  }

  /** The middleware says that so many were lost. */
  lost(one: T, count: number): void {
    const detail = 'the middleware lost messages on their way';
    this.parts.problems.set('messages-lost', one.topic, detail);
    this.gap(one, 'source_lost', this.parts.clock.now(), detail, count);
  }

  private gap(
    one: T,
    reason: 'source_unreadable' | 'source_lost',
    since: bigint,
    detail: string,
    count?: number,
  ): void {
    const { clock, emit, robotsOf } = this.parts;
    const now = clock.now();
    const firstTime = since < now ? since : now;
    for (const robot of robotsOf(one)) {
      const gap = { reason, robot, topic: one.topic, firstTime, lastTime: now, detail };
      emit({ kind: 'gap', gap: count === undefined ? gap : { ...gap, count } });
    }
  }
}
