import type { DerivationStage } from '../../core/derivation.js';
import type { Manifest, ManifestChannel } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { CARRIED_KEY, type McapChannel } from '../../core/mcap/definitions.js';
import { defined } from '../../core/defined.js';
import { present } from '../../core/present.js';
import type { ImageRegion, ImageRule } from '../../core/transform/image-rule.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { ChildSessions } from '../../host/child-sessions.js';
import { ChannelChains } from './channel-chain.js';
import { MessageProcess, type ProcessedSegment } from './message-process.js';
import { holdsImages, ImageSteps } from './image-steps.js';
import { keyedHash, transformFailed } from './message-transform.js';
import { OutputChannels } from './output-channels.js';
import { StageTallies } from './stage-tally.js';
import { VideoSteps } from './video-steps.js';
import { PROCESS_PROTOCOL_VERSION, type FramedChannel } from './process-frames.js';

/** Version of the stage `fields`: another one may give other bytes for the same rule. */
const FIELDS_VERSION = 1;
const IMAGES_VERSION = 1;

/** The messages of one segment on their way through the rules. Programs run from their first message on. */
export class Transformation implements AsyncDisposable {
  readonly #rules: readonly TransformRule[];
  readonly #segment: ProcessedSegment;
  readonly #sessions: ChildSessions;
  readonly #chains: ChannelChains;
  readonly #output = new OutputChannels();
  readonly #tallies = new StageTallies();
  readonly #images = new ImageSteps();
  readonly #videos: VideoSteps;
  /** By the place of the rule. */
  readonly #programs = new Map<number, MessageProcess>();
  /** The channels that programs have defined, for live and for carried messages. */
  readonly #own = new Map<FramedChannel, readonly [live: McapChannel, carried: McapChannel]>();

  /** @param scratch - Path beside which files may lie until {@link finish}. */
  constructor(
    rules: readonly TransformRule[],
    hashKey: Uint8Array,
    segment: ProcessedSegment,
    sessions: ChildSessions,
    scratch: string,
  ) {
    this.#videos = new VideoSteps(scratch, sessions);
    this.#rules = rules;
    this.#segment = segment;
    this.#sessions = sessions;
    this.#chains = new ChannelChains(rules, keyedHash(hashKey), this.#tallies);
  }

  /**
   * What becomes of a message: nothing if it stays here. A promise only if a program is asked, so that other messages
   * wait for nothing. Throws `TRANSFORM_FAILED` and `TRANSFORM_PROCESS_FAILED`.
   */
  apply(message: McapMessage): readonly McapMessage[] | Promise<readonly McapMessage[]> {
    const made = this.#apply(message, 0);
    const { channel } = message;
    return made instanceof Promise
      ? made.then((all) => this.#noted(all, channel))
      : this.#noted(made, channel);
  }

  /** Gives the messages of videos after the last message, and ends the programs. */
  async *finish(): AsyncGenerator<McapMessage, void, void> {
    for await (const { message, place } of this.#videos.finish()) {
      // Another object than the channel of the message: a rule has made it.
      yield* this.#noted(await this.#apply(message, place + 1), undefined);
    }
    for (const program of this.#programs.values()) await program.finish();
  }

  channels(manifest: Manifest): ManifestChannel[] {
    return this.#output.channels(manifest);
  }

  /** What was done, for the manifest. */
  stages(): DerivationStage[] {
    return this.#rules.map((rule, at) => {
      const program = rule.image ? this.#videos.programOf(rule) : this.#programs.get(at)?.program;
      const counts = this.#tallies.of(rule, false).counts();
      return { ...stageOf(rule), rule: rule.text, ...defined({ program }), counts };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#videos[Symbol.asyncDispose]();
    for (const program of this.#programs.values()) await program[Symbol.asyncDispose]();
  }

  #apply(message: McapMessage, from: number): readonly McapMessage[] | Promise<readonly McapMessage[]> {
    const { change, next, dropping } = this.#chains.of(message.channel, from);
    if (dropping) dropping.dropped++;
    if (change === 'drop') return [];
    const changed = change === 'keep' ? message : { ...message, data: change(message.data) };
    if (next === undefined) return [changed];
    const rule = present(this.#rules[next]);
    return rule.image ? this.#image(next, rule, rule.image, changed) : this.#ask(next, changed);
  }

  #image(
    at: number,
    rule: TransformRule,
    image: ImageRule,
    message: McapMessage,
  ): readonly McapMessage[] | Promise<readonly McapMessage[]> {
    const tally = this.#tallies.of(rule, message.channel.carried);
    if (image.kind === 'blank') {
      const data = this.#blanked(rule, image.regions, message);
      tally.passed(message.data, data);
      return this.#apply({ ...message, data }, at + 1);
    }
    if (!holdsImages(message.channel)) {
      tally.unchanged++;
      return this.#apply(message, at + 1);
    }
    if (image.kind === 'jpeg') return this.#compress(at, rule, image, message);
    tally.changed++;
    return this.#videos.add(at, rule, image.crf, message).then(() => []);
  }

  /** What is not an image is a fault here: a region that must not leave cannot be cut. */
  #blanked(rule: TransformRule, regions: readonly ImageRegion[], { channel, data }: McapMessage): Uint8Array {
    try {
      if (!holdsImages(channel)) throw new Error('it has no messages of sensor_msgs/msg/Image in CDR');
      return this.#images.blank(channel, data, regions);
    } catch (error) {
      throw transformFailed(rule, channel, error);
    }
  }

  async #compress(
    at: number,
    rule: TransformRule,
    image: Extract<ImageRule, { kind: 'jpeg' }>,
    message: McapMessage,
  ): Promise<readonly McapMessage[]> {
    let made: McapMessage;
    try {
      made = await this.#images.compress(message, image);
    } catch (error) {
      throw transformFailed(rule, message.channel, error);
    }
    this.#tallies.of(rule, message.channel.carried).passed(message.data, made.data);
    return this.#apply(made, at + 1);
  }

  async #ask(at: number, message: McapMessage): Promise<readonly McapMessage[]> {
    const program = this.#programs.get(at) ?? (await this.#start(at));
    const tally = this.#tallies.of(present(this.#rules[at]), message.channel.carried);
    const made: McapMessage[] = [];
    const outputs = await program.answer(message);
    const answer = outputs.find(({ own }) => !own);
    if (answer) tally.passed(message.data, answer.data);
    else tally.dropped++;
    tally.made += outputs.length - (answer ? 1 : 0);
    for (const { own, data } of outputs) {
      const channel = own ? this.#channelOf(own, message.channel.carried) : message.channel;
      const sequence = own ? 0 : message.sequence;
      made.push(...(await this.#apply({ ...message, channel, sequence, data }, at + 1)));
    }
    return made;
  }

  async #start(at: number): Promise<MessageProcess> {
    const { text, process } = present(this.#rules[at]);
    const program = await MessageProcess.start(text, present(process), this.#segment, this.#sessions);
    this.#programs.set(at, program);
    return program;
  }

  #channelOf(own: FramedChannel, isCarried: boolean): McapChannel {
    let pair = this.#own.get(own);
    if (!pair) this.#own.set(own, (pair = [ownChannel(own, false), ownChannel(own, true)]));
    return pair[isCarried ? 1 : 0];
  }

  #noted(made: readonly McapMessage[], source: McapChannel | undefined): readonly McapMessage[] {
    for (const message of made) this.#output.note(message, message.channel !== source);
    return made;
  }
}

function stageOf({ image, process }: TransformRule): Pick<DerivationStage, 'name' | 'version'> {
  if (image) return { name: image.kind, version: IMAGES_VERSION };
  return process
    ? { name: 'process', version: PROCESS_PROTOCOL_VERSION }
    : { name: 'fields', version: FIELDS_VERSION };
}

function ownChannel(own: FramedChannel, carried: boolean): McapChannel {
  const { id, topic, encoding, schemaName: name, schemaEncoding, schema } = own;
  const isNamed = name !== '' || schema.byteLength > 0;
  return {
    ...{ id, topic, encoding, carried, metadata: carried ? { [CARRIED_KEY]: 'true' } : {} },
    schema: { name, encoding: schemaEncoding, data: schema },
    ...(isNamed ? {} : { schemaMissing: 'none' }),
  };
}
