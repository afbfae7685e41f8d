import type { McapMessage } from '../../core/mcap/block.js';
import { CARRIED_KEY, type McapChannel } from '../../core/mcap/definitions.js';
import type { ProcessSpec } from '../../core/transform/process-rule.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { ChildSessions } from '../../host/child-sessions.js';
import { MessageProcess, type ProcessedSegment } from './message-process.js';
import type { FramedChannel } from './process-frames.js';

/** What a program made of one message. */
export interface ProgramAnswer {
  /** On the channel of the message; undefined: the message ends here. */
  readonly changed: McapMessage | undefined;
  /** All messages of the answer, in its order. */
  readonly all: readonly McapMessage[];
}

/** The programs of the rules for one segment. Each runs from its first message on. */
export class ProgramSteps implements AsyncDisposable {
  readonly #segment: ProcessedSegment;
  readonly #sessions: ChildSessions;
  readonly #programs = new Map<TransformRule, MessageProcess>();
  /** The channels that programs have defined, for live and for carried messages. */
  readonly #own = new Map<FramedChannel, readonly [live: McapChannel, carried: McapChannel]>();

  constructor(segment: ProcessedSegment, sessions: ChildSessions) {
    this.#segment = segment;
    this.#sessions = sessions;
  }

  /** Throws `TRANSFORM_PROCESS_FAILED`. */
  async answer(rule: TransformRule, spec: ProcessSpec, message: McapMessage): Promise<ProgramAnswer> {
    const program = this.#programs.get(rule) ?? (await this.#start(rule, spec));
    let changed: McapMessage | undefined;
    const all = (await program.answer(message)).map(({ own, data }) => {
      if (!own) return (changed = { ...message, data });
      return { ...message, channel: this.#channelOf(own, message.channel.carried), sequence: 0, data };
    });
    return { changed, all };
  }

  /** What the program of a rule called itself, with its version; undefined: it did not run. */
  programOf(rule: TransformRule): string | undefined {
    return this.#programs.get(rule)?.program;
  }

  /** Ends the programs. Throws `TRANSFORM_PROCESS_FAILED`. */
  async finish(): Promise<void> {
    for (const program of this.#programs.values()) await program.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs.values()) await program[Symbol.asyncDispose]();
  }

  async #start(rule: TransformRule, spec: ProcessSpec): Promise<MessageProcess> {
    const program = await MessageProcess.start(rule.text, spec, this.#segment, this.#sessions);
    this.#programs.set(rule, program);
    return program;
  }

  #channelOf(own: FramedChannel, isCarried: boolean): McapChannel {
    let pair = this.#own.get(own);
    if (!pair) this.#own.set(own, (pair = [ownChannel(own, false), ownChannel(own, true)]));
    return pair[isCarried ? 1 : 0];
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
