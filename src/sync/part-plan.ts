import { HoldfastError } from '../core/errors.js';
import type { Receipt, Store } from '../core/store.js';

/** How a file is cut: every part but the last has `partBytes`. */
export interface PartPlan {
  readonly bytes: number;
  readonly partBytes: number;
  readonly count: number;
}

const MIB = 1024 * 1024;

export function planParts(bytes: number, partBytes: number): PartPlan {
  return { bytes, partBytes, count: Math.max(1, Math.ceil(bytes / partBytes)) };
}

/**
 * The wanted part size, raised (in whole MiB) if the store allows fewer parts or only larger ones. Throws
 * `STORE_REJECTED` for a file that the store cannot hold.
 */
export function choosePlan(bytes: number, wantedPartBytes: number, limits: Store['limits']): PartPlan {
  if (bytes > limits.maxObjectBytes) {
    throw new HoldfastError(
      'STORE_REJECTED',
      `a file of ${bytes} bytes exceeds the store's largest object of ${limits.maxObjectBytes} bytes`,
      { facts: { bytes, maxObjectBytes: limits.maxObjectBytes } },
    );
  }
  let partBytes = Math.max(wantedPartBytes, limits.minPartBytes);
  if (Math.ceil(bytes / partBytes) > limits.maxParts) {
    partBytes = Math.ceil(bytes / limits.maxParts / MIB) * MIB;
  }
  return planParts(bytes, partBytes);
}

/** Offset and length of part `partNumber` (from 1). */
export function partRange(plan: PartPlan, partNumber: number): { start: number; bytes: number } {
  const start = (partNumber - 1) * plan.partBytes;
  return { start, bytes: Math.min(plan.partBytes, plan.bytes - start) };
}

/** Whether a part in the store has the place and size of the plan. */
export function fitsPlan(plan: PartPlan, part: Receipt): boolean {
  return (
    part.partNumber >= 1 &&
    part.partNumber <= plan.count &&
    part.bytes === partRange(plan, part.partNumber).bytes
  );
}

/**
 * The part size of an upload whose record was lost, derived from its parts: all but the last are equally
 * large. `undefined` if the parts fit no plan for this file.
 */
export function inferPartBytes(bytes: number, parts: readonly Receipt[]): number | undefined {
  const largest = Math.max(0, ...parts.map((part) => part.bytes));
  if (largest === 0) return undefined;
  const plan = planParts(bytes, largest);
  return parts.every((part) => fitsPlan(plan, part)) ? largest : undefined;
}
