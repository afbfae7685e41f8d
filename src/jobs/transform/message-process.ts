import { HoldfastError } from '../../core/errors.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import type { ProcessSpec } from '../../core/transform/process-rule.js';
import { BoundedChild } from '../../host/bounded-child.js';
import type { ChildSessions } from '../../host/child-sessions.js';
import { FrameStream } from './frame-stream.js';
import {
  channelFrame,
  endFrame,
  FRAME_MAX_BYTES,
  helloFrame,
  messageFrame,
  OWN_CHANNELS_FROM,
  parseProgramFrame,
  PROCESS_PROTOCOL_VERSION,
  type FramedChannel,
  type ProgramFrame,
} from './process-frames.js';

/** From its start to its first frame: an interpreter may load large libraries. */
const HELLO_MAX_MS = 60_000;
const PROGRAM_MAX_CHARACTERS = 200;

/** One message of a program's answer. */
export interface ProgramOutput {
  /** A channel that the program has defined; absent: that of the message it got. */
  readonly own?: FramedChannel;
  readonly data: Uint8Array;
}

/** Of which segment the messages are. */
export interface ProcessedSegment {
  readonly robot: string;
  /** Name of the sealed file. */
  readonly name: string;
}

/**
 * An external program that answers the messages of one segment, one after the other. What it does wrong ends it, and
 * throws `TRANSFORM_PROCESS_FAILED` with the rule and a reason that has no content of a message.
 */
export class MessageProcess implements AsyncDisposable {
  readonly #rule: string;
  readonly #spec: ProcessSpec;
  readonly #child: BoundedChild;
  readonly #frames: FrameStream;
  readonly #ids = new Map<McapChannel, number>();
  readonly #own = new Map<number, FramedChannel>();
  #given = 0;
  #got = 0;
  #program = '';

  private constructor(rule: string, spec: ProcessSpec, sessions: ChildSessions) {
    this.#rule = rule;
    this.#spec = spec;
    const bounds = { memoryMaxBytes: spec.memoryMaxBytes, lifeMaxMs: spec.segmentMaxMs };
    this.#child = new BoundedChild(spec.command, bounds, sessions);
    this.#frames = new FrameStream(this.#child.stdout, spec.outputMaxBytes);
  }

  /** Starts the program and waits for its first frame. */
  static async start(
    rule: string,
    spec: ProcessSpec,
    { robot, name }: ProcessedSegment,
    sessions: ChildSessions,
  ): Promise<MessageProcess> {
    const started = new MessageProcess(rule, spec, sessions);
    await started.#within(Math.min(HELLO_MAX_MS, spec.segmentMaxMs), 'its first frame', async () => {
      const [frame] = await Promise.all([started.#next(), started.#write(helloFrame(robot, name))]);
      if (frame.kind !== 'hello') throw new Error(`said "${frame.kind}" first; allowed: hello`);
      if (frame.version !== PROCESS_PROTOCOL_VERSION) {
        throw new Error(`speaks version ${frame.version}; allowed: ${PROCESS_PROTOCOL_VERSION}`);
      }
      started.#program = `${frame.name} ${frame.release}`.trim().slice(0, PROGRAM_MAX_CHARACTERS);
    });
    return started;
  }

  /** What it called itself, with its version. */
  get program(): string {
    return this.#program;
  }

  /** Gives it a message, and waits for its answer. */
  answer(message: McapMessage): Promise<readonly ProgramOutput[]> {
    return this.#within(this.#spec.messageMaxMs, 'its answer to a message', async () => {
      const { channel } = message;
      let id = this.#ids.get(channel);
      const frames: Buffer[] = [];
      if (id === undefined) {
        this.#ids.set(channel, (id = this.#ids.size));
        if (id >= OWN_CHANNELS_FROM) throw new Error(`got more than ${OWN_CHANNELS_FROM} channels`);
        frames.push(channelFrame(framedChannel(id, channel)));
      }
      frames.push(messageFrame(id, message));
      this.#given++;
      const [outputs] = await Promise.all([this.#answerOn(id), this.#write(Buffer.concat(frames))]);
      return outputs;
    });
  }

  /** Ends it, and compares what both sides have counted. */
  async finish(): Promise<void> {
    await this.#within(this.#spec.messageMaxMs, 'its end', async () => {
      const [frame] = await Promise.all([this.#next(), this.#write(endFrame(this.#given))]);
      if (frame.kind !== 'end') throw new Error(`said "${frame.kind}" after the last message; allowed: end`);
      const { received, sent } = frame;
      if (received !== BigInt(this.#given) || sent !== BigInt(this.#got)) {
        const counted = `${this.#given} received and ${this.#got} sent`;
        throw new Error(`counted ${received} messages received and ${sent} sent; it was ${counted}`);
      }
      this.#child.stdin.end();
      if (await this.#frames.next()) throw new Error('wrote more after its end');
      const ended = await this.#child.ended;
      if (ended !== undefined) throw new Error(ended);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }

  async #answerOn(id: number): Promise<readonly ProgramOutput[]> {
    const outputs: ProgramOutput[] = [];
    let bytes = 0;
    let isAnswered = false;
    for (;;) {
      const frame = await this.#next();
      if (frame.kind === 'done') return outputs;
      if (frame.kind === 'channel') {
        this.#define(frame.channel);
        continue;
      }
      if (frame.kind !== 'message') throw new Error(`said "${frame.kind}" in its answer to a message`);
      const own = this.#own.get(frame.channel);
      if (!own && (frame.channel !== id || isAnswered)) {
        throw new Error(
          `sent a message of channel ${frame.channel}; allowed: one of channel ${id}, and any of its own channels`,
        );
      }
      isAnswered ||= !own;
      bytes += frame.data.byteLength;
      if (bytes > FRAME_MAX_BYTES) throw new Error(`answered with more than ${FRAME_MAX_BYTES} bytes`);
      this.#got++;
      outputs.push({ ...(own ? { own } : {}), data: frame.data });
    }
  }

  #define(channel: FramedChannel): void {
    const { id, topic } = channel;
    if (id < OWN_CHANNELS_FROM || this.#own.has(id) || topic === '') {
      throw new Error(
        `defined channel ${id}; allowed: ${OWN_CHANNELS_FROM} to 65535, each once, with a topic`,
      );
    }
    this.#own.set(id, channel);
  }

  async #next(): Promise<ProgramFrame> {
    const frame = await this.#frames.next();
    if (!frame) throw new Error((await this.#child.ended) ?? 'ended before its work was done');
    return parseProgramFrame(frame);
  }

  #write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#child.stdin.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Ends the program if the work takes longer, or fails. */
  #within<T>(limitMs: number, what: string, work: () => Promise<T>): Promise<T> {
    return this.#child.within(limitMs, `did not give ${what} within ${limitMs / 1_000} s`, async () => {
      try {
        return await work();
      } catch (error) {
        throw await this.#failure(error);
      }
    });
  }

  /** How the program ended says more than the error of a pipe. */
  async #failure(error: unknown): Promise<HoldfastError> {
    const message = error instanceof Error ? error.message : String(error);
    const isPipe = error instanceof Error && 'code' in error;
    if (!isPipe) this.#child.kill(message);
    const ended = (await this.#child.ended) ?? message;
    return new HoldfastError(
      'TRANSFORM_PROCESS_FAILED',
      `the program of the rule "${this.#rule}" of sync.transform ${ended}`,
      { cause: error, facts: { rule: this.#rule } },
    );
  }
}

function framedChannel(id: number, { topic, encoding, schema }: McapChannel): FramedChannel {
  return {
    id,
    topic,
    encoding,
    schemaName: schema.name,
    schemaEncoding: schema.encoding,
    schema: schema.data,
  };
}
