import type { Channel, Schema } from '../../core/message.js';
import type { Publisher } from './endpoints.js';
import { offeredQosYaml } from './offered-qos-yaml.js';
import { isLatched } from './reader-qos.js';

/** The channels of one topic and type: one per robot it belongs to, renewed when what they say changes. */
export class TopicChannels {
  private facts = '';
  private current: readonly Channel[] = [];

  constructor(
    private readonly topic: string,
    private readonly schema: Schema,
    private readonly distro: string,
  ) {}

  /** Nobody knows how to read its messages. */
  get isUndefined(): boolean {
    return this.schema.encoding === '';
  }

  get all(): readonly Channel[] {
    return this.current;
  }

  /**
   * The channels for these publishers and robots. `appeared` must be announced before messages refer to them;
   * `gone` are referred to no more. A robot once concerned stays so while the topic lives.
   */
  update(
    robots: readonly string[],
    publishers: readonly Publisher[],
  ): { appeared: readonly Channel[]; gone: readonly Channel[] } {
    const all = [...new Set([...this.current.map(({ robot }) => robot), ...robots])];
    const offers = publishers.map(({ qos }) => qos);
    const latched = isLatched(offers);
    const metadata = Object.freeze({
      offered_qos_profiles: offeredQosYaml(offers, this.distro),
      topic_type_hash: publishers[0]?.typeHash ?? '',
    });
    const facts = JSON.stringify([all, latched, metadata]);
    if (facts === this.facts) return { appeared: [], gone: [] };
    const gone = this.current;
    this.facts = facts;
    this.current = all.map((robot) =>
      Object.freeze({ robot, topic: this.topic, encoding: 'cdr', schema: this.schema, metadata, latched }),
    );
    return { appeared: this.current, gone };
  }

  /** Its publishers are gone; the next update announces them again. */
  vanish(): readonly Channel[] {
    const gone = this.current;
    this.current = [];
    this.facts = '';
    return gone;
  }
}
