import type { Channel, Schema } from '../../core/message.js';
import type { Publisher } from './endpoints.js';
import { offeredQosYaml } from './offered-qos-yaml.js';
import { isLatched } from './reader-qos.js';
import { RANK, type RobotDecision } from './robots-of-topic.js';

/** The channels of one topic and type: one per robot, renewed when their description changes. */
export class TopicChannels {
  #facts = '';
  #current: readonly Channel[] = [];
  #rank: RobotDecision['rank'] = RANK.fallback;

  readonly #topic: string;
  readonly #schema: Schema;
  readonly #distro: string;

  constructor(topic: string, schema: Schema, distro: string) {
    this.#topic = topic;
    this.#schema = schema;
    this.#distro = distro;
  }

  /** There is no definition for decoding its messages. */
  get isUndefined(): boolean {
    return this.#schema.encoding === '';
  }

  get all(): readonly Channel[] {
    return this.#current;
  }

  /**
   * The channels for these publishers and robots. Announce `appeared` before messages refer to them; nothing
   * refers to `gone` any more. A robot of the topic stays one while the topic lives, unless better
   * information arrives.
   */
  update(
    { robots, rank }: RobotDecision,
    publishers: readonly Publisher[],
  ): { appeared: readonly Channel[]; gone: readonly Channel[] } {
    const kept = rank > this.#rank ? [] : this.#current.map(({ robot }) => robot);
    if (rank > this.#rank) this.#rank = rank;
    const all = [...new Set([...kept, ...robots])];
    const offers = publishers.map(({ qos }) => qos);
    const latched = isLatched(offers);
    const metadata = Object.freeze({
      offered_qos_profiles: offeredQosYaml(offers, this.#distro),
      topic_type_hash: publishers[0]?.typeHash ?? '',
    });
    const facts = JSON.stringify([all, latched, metadata]);
    if (facts === this.#facts) return { appeared: [], gone: [] };
    const gone = this.#current;
    this.#facts = facts;
    this.#current = all.map((robot) =>
      Object.freeze({ robot, topic: this.#topic, encoding: 'cdr', schema: this.#schema, metadata, latched }),
    );
    return { appeared: this.#current, gone };
  }

  /** Its publishers are gone; the next update announces them again. */
  vanish(): readonly Channel[] {
    const gone = this.#current;
    this.#current = [];
    this.#facts = '';
    this.#rank = RANK.fallback;
    return gone;
  }
}
