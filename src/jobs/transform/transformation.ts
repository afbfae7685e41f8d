import type { DerivationStage } from '../../core/derivation.js';
import type { Manifest, ManifestChannel } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { CARRIED_KEY, type McapChannel } from '../../core/mcap/definitions.js';
import { present } from '../../core/present.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { ChildSessions } from '../../host/child-sessions.js';
import { ChannelChains } from './channel-chain.js';
import { MessageProcess, type ProcessedSegment } from './message-process.js';
import { keyedHash } from './message-transform.js';
import { OutputChannels } from './output-channels.js';
import { PROCESS_PROTOCOL_VERSION, type FramedChannel } from './process-frames.js';

/** Version of the stage `fields`: another one may give other bytes for the same rule. */
const FIELDS_VERSION = 1;

/** The messages of one segment on their way through the rules. Programs run from their first message on. */
export class Transformation implements AsyncDisposable {
  readonly #rules: readonly TransformRule[];
  readonly #segment: ProcessedSegment;
  readonly #sessions: ChildSessions;
  readonly #chains: ChannelChains;
  readonly #output = new OutputChannels();
  /** By the place of the rule. */
  readonly #programs = new Map<number, MessageProcess>();
  /** The channels that programs have defined, for live and for carried messages. */
  readonly #own = new Map<FramedChannel, readonly [live: McapChannel, carried: McapChannel]>();

  constructor(
    rules: readonly TransformRule[],
    hashKey: Uint8Array,
    segment: ProcessedSegment,
    sessions: ChildSessions,
  ) {
    this.#rules = rules;
    this.#segment = segment;
    this.#sessions = sessions;
    this.#chains = new ChannelChains(rules, keyedHash(hashKey));
  }

  /**
   * What becomes of a message: nothing if it stays here. A promise only if a program is asked, so that other messages
   * wait for nothing. Throws `TRANSFORM_FAILED` and `TRANSFORM_PROCESS_FAILED`.
   */
  apply(message: McapMessage): readonly McapMessage[] | Promise<readonly McapMessage[]> {
    const made = this.#apply(message, 0);
    return made instanceof Promise ? made.then((all) => this.#noted(all)) : this.#noted(made);
  }

  /** Ends the programs after the last message. */
  async finish(): Promise<void> {
    for (const program of this.#programs.values()) await program.finish();
  }

  channels(manifest: Manifest): ManifestChannel[] {
    return this.#output.channels(manifest);
  }

  /** What was done, for the manifest. */
  stages(): DerivationStage[] {
    return this.#rules.map(({ text: rule, process }, at) => {
      if (!process) return { name: 'fields', version: FIELDS_VERSION, rule };
      const program = this.#programs.get(at)?.program;
      const name = 'process';
      return { name, version: PROCESS_PROTOCOL_VERSION, rule, ...(program === undefined ? {} : { program }) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs.values()) await program[Symbol.asyncDispose]();
  }

  #apply(message: McapMessage, from: number): readonly McapMessage[] | Promise<readonly McapMessage[]> {
    const { change, process } = this.#chains.of(message.channel, from);
    if (change === 'drop') return [];
    const changed = change === 'keep' ? message : { ...message, data: change(message.data) };
    return process === undefined ? [changed] : this.#ask(process, changed);
  }

  async #ask(at: number, message: McapMessage): Promise<readonly McapMessage[]> {
    const program = this.#programs.get(at) ?? (await this.#start(at));
    const made: McapMessage[] = [];
    for (const { own, data } of await program.answer(message)) {
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

  #noted(made: readonly McapMessage[]): readonly McapMessage[] {
    for (const message of made) this.#output.note(message);
    return made;
  }
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
