import type { McapChannel } from '../../core/mcap/definitions.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { HashText } from './cdr-rewriter.js';
import { compileTransform, type MessageTransform } from './message-transform.js';
import type { StageTallies, StageTally } from './stage-tally.js';

/** What happens to the messages of a channel from one rule on. */
export interface ChannelChain {
  /** All rules before the next one with a program, a model or an image. */
  readonly change: MessageTransform;
  /** Place of the next rule with a program, a model or an image; undefined: this was the last one. */
  readonly next: number | undefined;
  /** Of the rule that drops the channel; undefined: none does. */
  readonly dropping: StageTally | undefined;
}

/** Compiles the rules for channels, each from the places in the list at which its messages enter. */
export class ChannelChains {
  readonly #rules: readonly TransformRule[];
  readonly #hash: HashText;
  readonly #tallies: StageTallies;
  readonly #compiled = new Map<McapChannel, Map<number, ChannelChain>>();

  constructor(rules: readonly TransformRule[], hash: HashText, tallies: StageTallies) {
    this.#rules = rules;
    this.#hash = hash;
    this.#tallies = tallies;
  }

  /** Throws `TRANSFORM_FAILED` if a rule cannot be applied to this channel. */
  of(channel: McapChannel, from: number): ChannelChain {
    let chains = this.#compiled.get(channel);
    if (!chains) this.#compiled.set(channel, (chains = new Map<number, ChannelChain>()));
    let chain = chains.get(from);
    if (!chain) chains.set(from, (chain = this.#compile(channel, from)));
    return chain;
  }

  #compile(channel: McapChannel, from: number): ChannelChain {
    const next = this.#rules.findIndex(
      ({ topics, process, image, infer }, at) =>
        at >= from && (process ?? image ?? infer) !== undefined && topics.test(channel.topic),
    );
    const until = next < 0 ? this.#rules.length : next;
    const rules = this.#rules.slice(from, until);
    const change = compileTransform(channel, rules, this.#hash, this.#tallies);
    const dropper = rules.find(({ topics, drop }) => drop === 'topic' && topics.test(channel.topic));
    return {
      change,
      next: next < 0 || dropper ? undefined : next,
      dropping: dropper && this.#tallies.of(dropper, channel.carried),
    };
  }
}
