import { NS_PER_MS, NS_PER_S } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Unlisten } from '../../core/listen.js';
import { withOwnData, type Channel, type Message } from '../../core/message.js';
import type { AnomalyStatus } from '../../core/status.js';
import { matches } from '../../recordings/message-filter.js';
import { AnomalyMarker, type AnomalyMarkerPorts } from './anomaly-marker.js';
import type { AnomalyOptions } from '../../settings/anomaly-options.js';
import { ChannelWatch, type Sighting } from './channel-watch.js';

export interface AnomalyPorts extends AnomalyMarkerPorts {
  /** Every message when it is queued. */
  readonly tap: (listener: (message: Message) => void) => Unlisten;
}

/** Maximum number of messages that wait for inspection: each keeps its payload in memory. */
const QUEUE_MESSAGES = 2_000;
const QUEUE_BYTES = 4 * 1024 * 1024;
/** Larger messages are not inspected: one would take more than a turn. */
const MESSAGE_MAX_BYTES = 1024 * 1024;
/** Maximum time per turn: recording comes first. */
const TURN_NS = 2n * NS_PER_MS;
const MAX_CHANNELS = 2_000;

interface Waiting {
  readonly watch: ChannelWatch;
  readonly message: Message;
}

/**
 * Looks for anomalies in the recorded messages. Messages are only noted when they come, and inspected between
 * the recorder's own work, for a bounded time per second; the rest is skipped and counted. Without rules it
 * does nothing.
 */
export class AnomalyWatch implements Disposable {
  readonly #marker: AnomalyMarker;
  #options: AnomalyOptions;
  #channels = new WeakMap<Channel, ChannelWatch | 'none'>();
  #watches: ChannelWatch[] = [];
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #isScheduled = false;
  #unlisten: Unlisten | undefined;
  #secondBegan = 0n;
  #spentNs = 0n;
  #looked = 0;
  #skipped = 0;
  #undecoded = 0;
  #unwatched = 0;

  readonly #ports: AnomalyPorts;

  constructor(options: AnomalyOptions, ports: AnomalyPorts) {
    this.#ports = ports;
    this.#options = options;
    this.#marker = new AnomalyMarker(options, ports);
    this.#listen();
  }

  /** Changed rules start from empty; unchanged ones keep what they have learned. */
  reconfigure(options: AnomalyOptions): void {
    const text = ({ rules }: AnomalyOptions): string => JSON.stringify(rules.map((rule) => rule.text));
    const isOther = text(options) !== text(this.#options);
    this.#options = options;
    this.#marker.reconfigure(options);
    if (!isOther) return;
    this.#channels = new WeakMap();
    this.#watches = [];
    this.#queue = [];
    this.#queueBytes = 0;
    this.#unwatched = 0;
    this.#listen();
  }

  /** Call it once a second. @param isRecording if false, silence has no meaning */
  tick(isRecording: boolean): void {
    const now = this.#ports.clock.monotonic();
    for (const watch of this.#watches) {
      if (isRecording) watch.tick(now, this.#tell);
      else watch.rest();
    }
  }

  /** Undefined without rules. */
  status(): AnomalyStatus | undefined {
    if (this.#options.rules.length === 0) return undefined;
    return {
      ...this.#marker.status(),
      channels: this.#watches.length,
      looked: this.#looked,
      skipped: this.#skipped,
      undecoded: this.#undecoded,
    };
  }

  [Symbol.dispose](): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#queue = [];
  }

  #listen(): void {
    this.#unlisten?.();
    this.#unlisten =
      this.#options.rules.length === 0 ? undefined : this.#ports.tap((message) => this.#take(message));
  }

  /** In the turn of the source: only a look-up and a push. */
  #take(message: Message): void {
    const watch = this.#watchOf(message.channel);
    if (watch === 'none') return;
    const now = this.#ports.clock.monotonic();
    watch.arrive(now, this.#tell);
    if (!watch.looksInside) return;
    const bytes = message.data.byteLength;
    const fits = this.#queue.length < QUEUE_MESSAGES && this.#queueBytes + bytes <= QUEUE_BYTES;
    if (bytes > MESSAGE_MAX_BYTES || !fits || !this.#hasTime(now)) {
      this.#skipped++;
      return;
    }
    this.#queue.push({ watch, message: withOwnData(message) });
    this.#queueBytes += bytes;
    this.#schedule();
  }

  #watchOf(channel: Channel): ChannelWatch | 'none' {
    let watch = this.#channels.get(channel);
    if (watch === undefined) this.#channels.set(channel, (watch = this.#openWatch(channel)));
    return watch;
  }

  #openWatch(channel: Channel): ChannelWatch | 'none' {
    const rules = this.#options.rules.filter(({ topic }) => matches([topic], channel.topic));
    if (rules.length === 0) return 'none';
    const { logger } = this.#ports;
    if (this.#watches.length >= MAX_CHANNELS) {
      if (this.#unwatched++ === 0) {
        logger.warn('too many topics for anomaly detection; further topics are not watched', {
          max: MAX_CHANNELS,
        });
      }
      return 'none';
    }
    const watch = new ChannelWatch(channel, rules);
    for (const { rule, reason } of watch.problems) {
      logger.warn('an anomaly rule does not fit a topic', {
        rule: rule.text,
        topic: channel.topic,
        reason,
      });
    }
    this.#watches.push(watch);
    return watch;
  }

  readonly #tell = (sighting: Sighting): void => this.#marker.seen(sighting);

  #hasTime(now: bigint): boolean {
    if (now - this.#secondBegan >= NS_PER_S) {
      this.#secondBegan = now;
      this.#spentNs = 0n;
    }
    return this.#spentNs < BigInt(this.#options.budgetMs) * NS_PER_MS;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#ports.clock.soon(() => {
      this.#isScheduled = false;
      this.#work();
    });
  }

  #work(): void {
    const { clock } = this.#ports;
    const began = clock.monotonic();
    let at = 0;
    let now = began;
    while (at < this.#queue.length && now - began < TURN_NS && this.#hasTime(now)) {
      this.#look(this.#queue[at++]!);
      const then = now;
      now = clock.monotonic();
      this.#spentNs += now - then;
    }
    this.#queue = this.#queue.slice(at);
    if (this.#queue.length > 0 && !this.#hasTime(now)) {
      this.#skipped += this.#queue.length;
      this.#queue = [];
    }
    this.#queueBytes = this.#queue.reduce((sum, { message }) => sum + message.data.byteLength, 0);
    if (this.#queue.length > 0) this.#schedule();
  }

  #look({ watch, message }: Waiting): void {
    this.#looked++;
    try {
      watch.look(message, this.#tell);
    } catch (error) {
      if (this.#undecoded++ > 0) return;
      this.#ports.logger.warn(
        'a message cannot be decoded for anomaly detection; further ones are only counted',
        {
          topic: message.channel.topic,
          error: describeError(error),
        },
      );
    }
  }
}
