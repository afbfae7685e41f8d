import { silentLogger } from '../../../core/logger.js';
import { openMcap } from '../../../core/mcap/open-mcap.js';
import type { McapMessage } from '../../../core/mcap/block.js';
import type { McapChannel } from '../../../core/mcap/definitions.js';
import type { Manifest } from '../../../core/manifest.js';
import type { Channel } from '../../../core/message.js';
import type { Store } from '../../../core/store.js';
import { storeReadable } from '../../../recordings/store-readable.js';
import { isDue, type FieldSpec } from '../../../uplink/protocol/field-spec.js';
import { defaultRules } from '../../../uplink/robot/default-rules.js';
import { TelemetrySampler, type SampleTaker } from '../../../uplink/robot/telemetry-sampler.js';
import { TICK_NS } from '../../../uplink/robot/uplink-pace.js';
import type { Life } from './ground-fleet.js';

/** What one life of a robot should have sampled of one field, from its recording. */
export interface RecordedSamples {
  readonly spec: FieldSpec;
  readonly life: Life;
  /** By the time of the tick, nanoseconds since the Unix epoch; NaN: no value. Also of ticks that are not due. */
  readonly values: ReadonlyMap<bigint, number>;
  /** Times of the ticks at which the field is due. */
  readonly due: readonly bigint[];
  /** The last message of its topic that is on disk: what was sampled later came from messages that a kill took. */
  readonly lastMessageNs: bigint;
}

/**
 * Samples the recording of one robot as the robot did: a tick has what the last message at or before it said.
 *
 * @param manifests - Of the robot.
 */
export async function sampleRecording(
  store: Store,
  manifests: readonly Manifest[],
  lives: readonly Life[],
): Promise<readonly RecordedSamples[]> {
  const found: RecordedSamples[] = [];
  let index = 0;
  let sampler = new LifeSampler(lives[0]);
  for await (const { robot, message } of messagesOf(store, manifests)) {
    const { channel, logTime, publishTime, data } = message;
    while (index < lives.length - 1 && logTime > (lives[index]?.toNs ?? logTime)) {
      found.push(...sampler.end());
      sampler = new LifeSampler(lives[++index]);
    }
    sampler.take(sampler.channel(channel, robot), logTime, publishTime, data);
  }
  return [...found, ...sampler.end()];
}

interface RecordedMessage {
  readonly robot: string;
  readonly message: McapMessage;
}

/** Consecutive segments overlap by less than this. */
const OVERLAP_NS = 2_000_000_000n;

/** The messages of one robot in the order of their log time, without those that segments repeat. */
async function* messagesOf(store: Store, manifests: readonly Manifest[]): AsyncGenerator<RecordedMessage> {
  const ordered = manifests
    .filter(({ evicted }) => !evicted)
    .sort((a, b) => Number(BigInt(a.firstLogTime ?? 0) - BigInt(b.firstLogTime ?? 0)));
  let held: RecordedMessage[] = [];
  for (const { key, file, robot } of ordered) {
    const reader = await openMcap(storeReadable(store, key, file.bytes), key);
    for await (const message of reader.messages())
      if (!message.channel.carried) held.push({ robot, message });
    held.sort((a, b) => Number(a.message.logTime - b.message.logTime));
    const until = (held.at(-1)?.message.logTime ?? 0n) - OVERLAP_NS;
    const ready = held.filter(({ message }) => message.logTime <= until);
    held = held.slice(ready.length);
    yield* ready;
  }
  yield* held;
}

class LifeSampler implements SampleTaker {
  readonly #life: Life | undefined;
  readonly #sampler = new TelemetrySampler({ rules: defaultRules, tickNs: TICK_NS }, this, silentLogger);
  readonly #channels = new Map<string, Channel>();
  readonly #lastMessages = new Map<string, bigint>();
  #fields: { readonly spec: FieldSpec; readonly values: Map<bigint, number>; readonly due: bigint[] }[] = [];
  #lastNs = 0n;

  constructor(life: Life | undefined) {
    this.#life = life;
  }

  /** A channel of all segments is one channel, as it was for the robot. */
  channel({ topic, encoding, schema, metadata }: McapChannel, robot: string): Channel {
    let channel = this.#channels.get(topic);
    if (channel === undefined)
      this.#channels.set(topic, (channel = { robot, topic, encoding, schema, metadata, latched: false }));
    return channel;
  }

  take(channel: Channel, logTime: bigint, publishTime: bigint, data: Uint8Array): void {
    this.#lastMessages.set(channel.topic, logTime);
    this.#lastNs = logTime;
    this.#sampler.take({
      kind: 'message',
      channel,
      data,
      receivedAt: logTime,
      publishedAt: publishTime,
    });
  }

  fields(specs: readonly FieldSpec[]): void {
    // A known field keeps its place.
    for (const spec of specs.slice(this.#fields.length))
      this.#fields.push({ spec, values: new Map<bigint, number>(), due: [] });
  }

  sample(tick: number, timeNs: bigint, values: Float64Array): void {
    this.#fields.forEach(({ spec, values: kept, due }, i) => {
      kept.set(timeNs, values[i] ?? NaN);
      if (isDue(spec, tick)) due.push(timeNs);
    });
  }

  end(): RecordedSamples[] {
    const life = this.#life;
    if (life === undefined) return [];
    this.#sampler.advance(this.#lastNs);
    return this.#fields.map((field) => ({
      ...{ ...field, life, lastMessageNs: this.#lastMessages.get(field.spec.topic) ?? 0n },
    }));
  }
}
