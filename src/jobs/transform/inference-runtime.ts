import type * as ort from 'onnxruntime-web';
import { createRequire } from 'node:module';
import { describeError } from '../../core/errors.js';

export type InferenceRuntime = Pick<typeof ort, 'env' | 'InferenceSession' | 'Tensor'>;
export type InferenceSession = ort.InferenceSession;

/** Of the package, which is not installed with Holdfast. */
export const RUNTIME_PACKAGE = 'onnxruntime-web';

/**
 * ONNX Runtime as WebAssembly, with one thread, so that the same input gives the same output. Throws an Error with what
 * to install if it cannot be loaded.
 */
export async function loadRuntime(
  load: () => Promise<InferenceRuntime> = () => import('onnxruntime-web'),
): Promise<InferenceRuntime> {
  let runtime: InferenceRuntime;
  try {
    runtime = await load();
  } catch (cause) {
    const [reason] = describeError(cause).split('\n');
    throw new Error(`${RUNTIME_PACKAGE} cannot be loaded (npm install ${RUNTIME_PACKAGE}): ${reason}`, {
      cause,
    });
  }
  runtime.env.wasm.numThreads = 1;
  runtime.env.logLevel = 'fatal';
  return runtime;
}

/** What is missing for rules with a model, in words; undefined: nothing. */
export function runtimeLacks(
  resolve: (name: string) => string = createRequire(import.meta.url).resolve,
): string | undefined {
  try {
    resolve(RUNTIME_PACKAGE);
    return undefined;
  } catch {
    return `${RUNTIME_PACKAGE} is not installed (npm install ${RUNTIME_PACKAGE})`;
  }
}
