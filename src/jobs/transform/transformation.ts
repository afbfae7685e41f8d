import type { DerivationStage } from '../../core/derivation.js';
import type { Manifest, ManifestChannel } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { defined } from '../../core/defined.js';
import { present } from '../../core/present.js';
import type { ImageRegion, ImageRule } from '../../core/transform/image-rule.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import type { InferRule } from '../../core/transform/infer-rule.js';
import type { ProcessSpec } from '../../core/transform/process-rule.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { ChildSessions } from '../../host/child-sessions.js';
import { ChannelChains } from './channel-chain.js';
import { isInput } from './infer-answers.js';
import { InferSteps, type ModelDigests } from './infer-steps.js';
import type { ProcessedSegment } from './message-process.js';
import { holdsImages, ImageSteps } from './image-steps.js';
import { keyedHash, transformFailed } from './message-transform.js';
import { OutputChannels } from './output-channels.js';
import { ProgramSteps } from './program-steps.js';
import { StageTallies } from './stage-tally.js';
import { VideoSteps } from './video-steps.js';
import { PROCESS_PROTOCOL_VERSION } from './process-frames.js';

/** Version of the stage `fields`: another one may give other bytes for the same rule. */
const FIELDS_VERSION = 1;
const IMAGES_VERSION = 1;
const INFER_VERSION = 1;

/** The messages of one segment on their way through the rules. Programs run from their first message on. */
export class Transformation implements AsyncDisposable {
  readonly #rules: readonly TransformRule[];
  readonly #chains: ChannelChains;
  readonly #output = new OutputChannels();
  readonly #tallies = new StageTallies();
  readonly #images = new ImageSteps();
  readonly #videos: VideoSteps;
  readonly #programs: ProgramSteps;
  readonly #models: InferSteps;

  /** @param scratch - Path beside which files may lie until {@link finish}. */
  constructor(
    rules: readonly TransformRule[],
    hashKey: Uint8Array,
    segment: ProcessedSegment,
    sessions: ChildSessions,
    scratch: string,
    models: ModelDigests,
  ) {
    this.#videos = new VideoSteps(scratch, sessions);
    this.#rules = rules;
    this.#programs = new ProgramSteps(segment, sessions);
    this.#models = new InferSteps(this.#programs, models, segment.name);
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
    await this.#programs.finish();
  }

  channels(manifest: Manifest): ManifestChannel[] {
    return this.#output.channels(manifest);
  }

  /** What models have marked. */
  get events(): readonly MarkedEvent[] {
    return this.#models.events;
  }

  /** What was done, for the manifest. */
  stages(): DerivationStage[] {
    return this.#rules.map((rule) => {
      const { text, image, infer } = rule;
      const program = image ? this.#videos.programOf(rule) : this.#programs.programOf(rule);
      const model = infer && this.#models.digestOf(infer);
      const counts = this.#tallies.of(rule, false).counts();
      return { ...stageOf(rule), rule: text, ...defined({ program, model }), counts };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#videos[Symbol.asyncDispose]();
    await this.#programs[Symbol.asyncDispose]();
  }

  #apply(message: McapMessage, from: number): readonly McapMessage[] | Promise<readonly McapMessage[]> {
    const { change, next, dropping } = this.#chains.of(message.channel, from);
    if (dropping) dropping.dropped++;
    if (change === 'drop') return [];
    const changed = change === 'keep' ? message : { ...message, data: change(message.data) };
    if (next === undefined) return [changed];
    const rule = present(this.#rules[next]);
    if (rule.image) return this.#image(next, rule, rule.image, changed);
    if (rule.infer) return this.#infer(next, rule, rule.infer, changed);
    return this.#ask(next, rule, present(rule.process), changed);
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

  async #ask(
    at: number,
    rule: TransformRule,
    spec: ProcessSpec,
    message: McapMessage,
  ): Promise<McapMessage[]> {
    const { changed, all } = await this.#programs.answer(rule, spec, message);
    const tally = this.#tallies.of(rule, message.channel.carried);
    if (changed) tally.passed(message.data, changed.data);
    else tally.dropped++;
    tally.made += all.length - (changed ? 1 : 0);
    return this.#applyAll(all, at + 1);
  }

  /** Carried messages were given to the model in the segment that recorded them. */
  async #infer(
    at: number,
    rule: TransformRule,
    infer: InferRule,
    message: McapMessage,
  ): Promise<McapMessage[]> {
    const { channel } = message;
    const isGiven = !channel.carried && isInput(infer, channel);
    const outputs = isGiven ? await this.#models.outputs(rule, infer, message) : [];
    const tally = this.#tallies.of(rule, channel.carried);
    tally.unchanged++;
    tally.made += outputs.length;
    return this.#applyAll([message, ...outputs], at + 1);
  }

  async #applyAll(messages: readonly McapMessage[], from: number): Promise<McapMessage[]> {
    const made: McapMessage[] = [];
    for (const message of messages) made.push(...(await this.#apply(message, from)));
    return made;
  }

  #noted(made: readonly McapMessage[], source: McapChannel | undefined): readonly McapMessage[] {
    for (const message of made) this.#output.note(message, message.channel !== source);
    return made;
  }
}

function stageOf({ image, process, infer }: TransformRule): Pick<DerivationStage, 'name' | 'version'> {
  if (image) return { name: image.kind, version: IMAGES_VERSION };
  if (infer) return { name: 'infer', version: INFER_VERSION };
  return process
    ? { name: 'process', version: PROCESS_PROTOCOL_VERSION }
    : { name: 'fields', version: FIELDS_VERSION };
}
