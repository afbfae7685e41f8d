import { Observable, type Subscriber } from 'rxjs';
import { defined } from '../../core/defined.js';
import type { GapReason } from '../../core/gap.js';
import type { Channel, Schema } from '../../core/message.js';
import type { Source, SourceContext, SourceEvent } from '../../core/source.js';
import { onAbort } from '../../core/on-abort.js';

/** A topic of this source: one object per topic, held by the sender. */
export interface OwnTopic {
  readonly topic: string;
  readonly schema: Schema;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Missing messages of a topic; times are nanoseconds since the Unix epoch. */
export interface TopicGap {
  readonly reason: GapReason;
  readonly count: number;
  readonly firstTime: bigint;
  readonly lastTime: bigint;
  readonly detail?: string;
}

interface OpenState {
  readonly context: SourceContext;
  readonly subscriber: Subscriber<SourceEvent>;
  /** Null: not wanted. */
  readonly channels: Map<OwnTopic, Channel | null>;
  isWaiting: boolean;
}

/**
 * Messages from this process. Their producer calls {@link canTake} and then {@link send}: messages that are
 * not accepted stay with their owner, which knows best what to keep.
 */
export class InProcessSource implements Source {
  readonly supports = { finite: false, backpressure: true, sequences: false, acknowledgement: false };
  #open: OpenState | undefined;

  constructor(readonly uri: string) {}

  open(context: SourceContext): Observable<SourceEvent> {
    return new Observable((subscriber) => {
      if (context.signal.aborted) {
        subscriber.complete();
        return undefined;
      }
      const state: OpenState = { context, subscriber, channels: new Map(), isWaiting: false };
      this.#open = state;
      const unlisten = context.onWantedChange?.(() => state.channels.clear());
      const unlistenAbort = onAbort(context.signal, () => subscriber.complete());
      subscriber.next({ kind: 'state', state: 'open' });
      return () => {
        unlistenAbort();
        unlisten?.();
        if (this.#open === state) this.#open = undefined;
      };
    });
  }

  /** Somebody listens. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** There is a subscriber, and it does not ask to wait. */
  get canTake(): boolean {
    const state = this.#open;
    if (state === undefined || state.isWaiting) return false;
    const wait = state.context.flow.whenReady();
    if (wait === undefined) return true;
    state.isWaiting = true;
    void wait.then(() => (state.isWaiting = false));
    return false;
  }

  /** Passes `data` on. `receivedAt`: nanoseconds since the Unix epoch; `ack`: it is durable. */
  send(topic: OwnTopic, data: Uint8Array, receivedAt: bigint, ack?: () => void): void {
    const channel = this.#channelOf(topic);
    if (channel === undefined) return;
    this.#open?.subscriber.next({
      kind: 'message',
      channel,
      data,
      receivedAt,
      publishedAt: receivedAt,
      ...defined({ ack }),
    });
  }

  gap({ topic }: OwnTopic, gap: TopicGap): void {
    const { context, subscriber } = this.#open ?? {};
    if (!context || !subscriber) return;
    subscriber.next({ kind: 'gap', gap: { ...gap, robot: context.robotOf(topic), topic } });
  }

  #channelOf(topic: OwnTopic): Channel | undefined {
    const state = this.#open;
    if (state === undefined) return undefined;
    let channel = state.channels.get(topic);
    if (channel === undefined) {
      channel = state.context.wanted(topic.topic, topic.schema.name)
        ? Object.freeze({
            robot: state.context.robotOf(topic.topic),
            topic: topic.topic,
            encoding: 'cdr',
            schema: topic.schema,
            metadata: topic.metadata,
            latched: false,
          })
        : null;
      state.channels.set(topic, channel);
      if (channel !== null) state.subscriber.next({ kind: 'channel', channel });
    }
    return channel ?? undefined;
  }
}
