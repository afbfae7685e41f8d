import type { FieldValue } from '../core/send-policy/topic-condition.js';

/** What a field holds, or why a condition cannot use it. */
export type FieldReading = { readonly value: FieldValue } | { readonly problem: string };

/** Reads a field by its dotted path from a decoded message. Of a 64-bit integer, the nearest number. */
export function fieldAt(message: unknown, path: string): FieldReading {
  let at = message;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) {
      return { problem: `no field ${path}` };
    }
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  if (typeof at === 'bigint') return { value: Number(at) };
  if (typeof at === 'boolean' || typeof at === 'string') return { value: at };
  if (typeof at === 'number' && Number.isFinite(at)) return { value: at };
  return { problem: `${path} is no truth value, number or text` };
}
