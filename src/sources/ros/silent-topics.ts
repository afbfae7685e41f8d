import { NS_PER_MS } from '../../core/clock.js';
import { humanDuration } from '../../core/human-numbers.js';
import type { Problems } from './problems.js';
import { FOREVER_SEC, isLatched } from './reader-qos.js';
import type { Recorded } from './recorded.js';
import type { LivenessOffer } from './topic-liveness.js';
import type { TopicLosses } from './topic-losses.js';

export interface SilentParts {
  readonly problems: Problems;
  readonly losses: TopicLosses<Recorded>;
  /** Interval of {@link SilentTopics.review}, milliseconds. */
  readonly pollMs: number;
  /** The present time for stamps of messages. */
  readonly time: () => bigint;
  /** With simulated time, the clock stands still while a simulation is paused. */
  readonly useSimTime: boolean;
  /** Subscribes again; false: not possible now, or it would deliver messages twice. */
  readonly resubscribe: (one: Recorded) => boolean;
}

/** A late review counts at most this much: nothing was received meanwhile. */
const LATE_MS = 1_000;

/**
 * Finds topics with publishers in the graph that send nothing any more. Each is subscribed to again, with
 * growing pauses. It is a problem while it lasts, and leaves gaps `not_received` from its last message to the
 * next one.
 */
export class SilentTopics {
  readonly #parts: SilentParts;
  readonly #silent = new Set<Recorded>();
  #listenedMs = 0;
  #reviewedAt: bigint | undefined;
  #clockAt: bigint | undefined;
  /** Since the start. */
  resubscriptions = 0;

  constructor(parts: SilentParts) {
    this.#parts = parts;
  }

  /** Topics that are silent now. */
  get count(): number {
    return this.#silent.size;
  }

  /** @param now - monotonic */
  review(all: Iterable<Recorded>, now: bigint): void {
    this.#listen(now);
    for (const one of all) {
      if (one.goneAt !== undefined || one.reader?.qos === undefined) continue;
      one.lastAt ??= this.#parts.time();
      const verdict = one.liveness.tick(this.#listenedMs, offerOf(one));
      if (verdict === 'due') this.#due(one);
      else if (verdict === 'returned') this.end(one, 'messages came again');
    }
  }

  /** The silence of a topic is over; does nothing if it is not silent. */
  end(one: Recorded, why: string): void {
    if (!this.#silent.delete(one)) return;
    const until = one.returnedAt ?? this.#parts.time();
    this.#tell(one, until, `nothing was received until ${why}`);
    one.toldUntil = one.returnedAt = undefined;
    this.#parts.problems.clear('silent', one.topic);
  }

  /** It has no publishers any more, or is not recorded any more. */
  forget(one: Recorded, why: string): void {
    this.end(one, why);
    one.liveness.forget();
    one.lastAt = undefined;
  }

  #due(one: Recorded): void {
    const { problems, time } = this.#parts;
    const isNew = !this.#silent.has(one);
    this.#silent.add(one);
    if (isNew) one.toldUntil = one.lastAt ?? time();
    const usual = one.liveness.usualMs;
    const period = usual === undefined ? 'a deadline is offered' : `usually every ${humanDuration(usual)}`;
    const detail = `a publisher is there, and nothing comes (${period})`;
    problems.set('silent', one.topic, detail);
    // At once and at every attempt: after a kill, at most one pause of the silence is unreported.
    this.#tell(one, time(), detail);
    if (this.#parts.resubscribe(one)) this.resubscriptions++;
  }

  #tell(one: Recorded, until: bigint, detail: string): void {
    const since = one.toldUntil ?? until;
    one.toldUntil = until;
    if (since < until) this.#parts.losses.notReceived(one, since, until, detail);
  }

  /** Counts only time in which messages could arrive. */
  #listen(now: bigint): void {
    const elapsed = Number((now - (this.#reviewedAt ?? now)) / NS_PER_MS);
    this.#reviewedAt = now;
    const clock = this.#parts.useSimTime ? this.#parts.time() : undefined;
    const stands = clock !== undefined && clock === this.#clockAt;
    this.#clockAt = clock;
    if (!stands) this.#listenedMs += Math.min(elapsed, this.#parts.pollMs + LATE_MS);
  }
}

function offerOf({ publishers }: Recorded): LivenessOffer {
  const offers = publishers.map(({ qos }) => qos);
  const deadlines = offers
    .map(({ deadline }) => deadline)
    .filter(({ sec, nsec }) => sec < FOREVER_SEC && (sec > 0n || nsec > 0))
    .map(({ sec, nsec }) => Number(sec) * 1_000 + nsec / 1e6);
  return {
    latched: isLatched(offers),
    deadlineMs: deadlines.length === 0 ? undefined : Math.min(...deadlines),
  };
}
