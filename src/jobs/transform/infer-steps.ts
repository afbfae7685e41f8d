import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NS_PER_MS } from '../../core/clock.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { InferRule } from '../../core/transform/infer-rule.js';
import type { ProcessSpec } from '../../core/transform/process-rule.js';
import type { TransformRule } from '../../core/transform/rule.js';
import { FAULT_TOPIC, MARKS_TOPIC } from './infer-frames.js';
import { transformFailed } from './message-transform.js';
import type { ProgramSteps } from './program-steps.js';

/** Marks of one segment; further ones are left out. */
const MARKS_MAX = 20;
const ID_DIGITS = 32;

/** SHA-256 of each model, in lower-case hex, by the path in the rule. */
export type ModelDigests = Readonly<Record<string, string>>;

/** The models of the rules for one segment, each in a process of its own. */
export class InferSteps {
  readonly #programs: ProgramSteps;
  readonly #digests: ModelDigests;
  readonly #segment: string;
  readonly #events: MarkedEvent[] = [];

  /** @param segment - Name of the sealed file. */
  constructor(programs: ProgramSteps, digests: ModelDigests, segment: string) {
    this.#programs = programs;
    this.#digests = digests;
    this.#segment = segment;
  }

  /**
   * The outputs of the model for a message, with its times. Throws `TRANSFORM_FAILED` if the model does not fit the
   * messages, and `TRANSFORM_PROCESS_FAILED` if its process fails.
   */
  async outputs(
    rule: TransformRule,
    infer: InferRule,
    message: McapMessage,
  ): Promise<readonly McapMessage[]> {
    const { all } = await this.#programs.answer(rule, this.#specOf(rule, infer), message);
    return all.filter(({ channel, data }) => {
      if (channel.topic === FAULT_TOPIC) {
        throw transformFailed(rule, message.channel, new Error(Buffer.from(data).toString('utf8')));
      }
      if (channel.topic !== MARKS_TOPIC) return true;
      for (const place of data) this.#mark(rule, infer, place, message);
      return false;
    });
  }

  /** The SHA-256 of the model of a rule. */
  digestOf({ model }: InferRule): string | undefined {
    return this.#digests[model];
  }

  /** What was marked. The same segment and rules give the same marks, with the same ids. */
  get events(): readonly MarkedEvent[] {
    return this.#events;
  }

  #specOf({ text }: TransformRule, infer: InferRule): ProcessSpec {
    const extension = extname(import.meta.url);
    const script = fileURLToPath(new URL(`./infer-program${extension}`, import.meta.url));
    // From the sources (development), the process needs the TypeScript loader.
    const loader = extension === '.ts' ? ['--import', 'tsx'] : [];
    const command = [process.execPath, ...loader, script, text, this.#digests[infer.model] ?? ''] as const;
    return { ...infer.limits, command };
  }

  #mark({ text }: TransformRule, infer: InferRule, place: number, { channel, logTime }: McapMessage): void {
    const { label } = infer.marks[place] ?? {};
    if (label === undefined || this.#events.length >= MARKS_MAX) return;
    const source = JSON.stringify([this.#segment, text, place, channel.topic, String(logTime)]);
    const id = createHash('sha256').update(source).digest('hex').slice(0, ID_DIGITS);
    const before = BigInt(infer.beforeMs) * NS_PER_MS;
    this.#events.push({
      ...{ id, label, at: String(logTime) },
      from: String(logTime > before ? logTime - before : 0n),
      to: String(logTime + BigInt(infer.afterMs) * NS_PER_MS),
    });
  }
}
