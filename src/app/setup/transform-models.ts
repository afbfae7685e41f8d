import { createHash } from 'node:crypto';
import type { FileSystem } from '../../core/file-system.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { ModelDigests } from '../../jobs/transform/infer-steps.js';
import type { ConfigFault } from '../../settings/fault.js';
import type { Resolved } from '../../settings/resolve.js';

/** A larger model has no room in the memory of WebAssembly beside its numbers. */
const MODEL_MAX_BYTES = 1024 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/**
 * The SHA-256 of each model that a rule names. Adds a fault for each that cannot be read, and if the runtime for models
 * is not installed.
 */
export async function modelDigests(
  { values, origin }: Resolved,
  fs: FileSystem,
  faults: ConfigFault[],
): Promise<ModelDigests> {
  const path = 'sync.transform';
  const rules = values[path].flatMap((rule) => (rule.infer ? [{ rule, model: rule.infer.model }] : []));
  const digests: Record<string, string> = {};
  if (rules.length === 0) return digests;
  const refuse = ({ text }: TransformRule, allowed: string): void => {
    faults.push({ where: origin[path], path, value: text, allowed });
  };
  const { runtimeLacks } = await import('../../jobs/transform/inference-runtime.js');
  const lack = runtimeLacks();
  for (const { rule, model } of rules) {
    if (lack !== undefined) {
      refuse(rule, `no rule with infer, because ${lack}`);
      continue;
    }
    if (Object.hasOwn(digests, model)) continue;
    const digest = await digestOf(fs, model).catch(() => undefined);
    if (digest === undefined) refuse(rule, `a model of at most ${MODEL_MAX_BYTES} bytes that can be read`);
    else digests[model] = digest;
  }
  return digests;
}

/** Undefined: the file is too large. */
async function digestOf(fs: FileSystem, path: string): Promise<string | undefined> {
  const handle = await fs.open(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let at = 0; at <= MODEL_MAX_BYTES;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return undefined;
  } finally {
    await handle.close();
  }
}
