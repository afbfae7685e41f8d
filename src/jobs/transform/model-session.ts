import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describeError } from '../../core/errors.js';
import type { InferRule, MarkRule } from '../../core/transform/infer-rule.js';
import type { InferenceRuntime, InferenceSession } from './inference-runtime.js';
import { outputTopic } from './infer-channels.js';
import type { OutputTensor } from './multi-array.js';

/** A loaded model with one input of type float32. */
export class ModelSession {
  readonly #runtime: InferenceRuntime;
  readonly #session: InferenceSession;
  readonly #input: string;
  /** Dimensions of the input; undefined: the model does not say. */
  readonly #rank: number | undefined;

  private constructor(
    runtime: InferenceRuntime,
    session: InferenceSession,
    input: string,
    rank: number | undefined,
  ) {
    this.#runtime = runtime;
    this.#session = session;
    this.#input = input;
    this.#rank = rank;
  }

  /** Throws an Error if the file is not the one with this SHA-256, or if the model does not fit the rule. */
  static async load(runtime: InferenceRuntime, rule: InferRule, sha256: string): Promise<ModelSession> {
    const bytes = await readFile(rule.model);
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found !== sha256) {
      throw new Error(`the model has SHA-256 ${found}; when sync started, it was ${sha256}`);
    }
    let session: InferenceSession;
    try {
      session = await runtime.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
    } catch (error) {
      throw new Error(`the model cannot be loaded: ${describeError(error)}`, { cause: error });
    }
    const { inputNames, inputMetadata, outputNames } = session;
    const [name, ...others] = inputNames;
    const [facts] = inputMetadata;
    if (name === undefined || others.length > 0) {
      throw new Error(`the model has ${inputNames.length} inputs; allowed: 1`);
    }
    if (facts?.isTensor === true && facts.type !== 'float32') {
      throw new Error(`the input of the model has numbers of type ${facts.type}; allowed: float32`);
    }
    const topics = new Set(outputNames.map((output) => outputTopic('', output)));
    if (topics.size < outputNames.length) {
      throw new Error(`two outputs of the model give the same topic: ${outputNames.join(', ')}`);
    }
    for (const { output } of rule.marks) {
      if (outputNames.includes(output)) continue;
      throw new Error(`the model has no output "${output}"; there are: ${outputNames.join(', ')}`);
    }
    return new ModelSession(
      runtime,
      session,
      name,
      facts?.isTensor === true ? facts.shape.length : undefined,
    );
  }

  get outputNames(): readonly string[] {
    return this.#session.outputNames;
  }

  /** The outputs by their names. Throws an Error for input of another size than the model has. */
  async run(values: Float32Array, rule: InferRule): Promise<ReadonlyMap<string, OutputTensor>> {
    const input = new this.#runtime.Tensor('float32', values, this.#dimsFor(values, rule));
    let results: Awaited<ReturnType<InferenceSession['run']>>;
    try {
      results = await this.#session.run({ [this.#input]: input });
    } catch (error) {
      throw new Error(`the model cannot be run: ${describeError(error)}`, { cause: error });
    }
    const outputs = new Map<string, OutputTensor>();
    for (const name of this.#session.outputNames) {
      const value = results[name];
      if (value && 'dims' in value) {
        outputs.set(name, { type: value.type, dims: value.dims, data: value.data as Float32Array });
      }
    }
    return outputs;
  }

  /** A vector has the dimension of the batch before it, unless the model has one dimension only. */
  #dimsFor(values: Float32Array, { input }: InferRule): number[] {
    if (input.kind === 'fields') return this.#rank === 1 ? [values.length] : [1, values.length];
    const { width, height, color, layout } = input;
    const colors = color === 'gray' ? 1 : 3;
    return layout === 'nchw' ? [1, colors, height, width] : [1, height, width, colors];
  }
}

/** Whether the condition of a mark is true. Throws an Error if the output has no such element. */
export function isMet({ output, index, comparison, value }: MarkRule, tensor: OutputTensor): boolean {
  const { data } = tensor;
  if (index !== undefined && index >= data.length) {
    throw new Error(`the output "${output}" has ${data.length} elements; the rule names ${index}`);
  }
  const [from, to] = index === undefined ? [0, data.length] : [index, index + 1];
  for (let at = from; at < to; at++) if (compared(Number(data[at]), comparison, value)) return true;
  return false;
}

function compared(a: number, comparison: MarkRule['comparison'], b: number): boolean {
  if (comparison === '>') return a > b;
  if (comparison === '>=') return a >= b;
  return comparison === '<' ? a < b : a <= b;
}
