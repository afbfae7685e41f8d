import { defined } from '../core/defined.js';
import type { SendPolicyStatus } from '../core/status.js';
import { addCost, type SendCost } from './forecast-status.js';
import type { SendGate } from './send-gate.js';
import type { SegmentEntry, SegmentTable } from './segment-table.js';

/** What the send policy says now, and what waits for it; undefined: there is no policy. */
export function policyStatus(
  gate: SendGate,
  table: SegmentTable,
  partBytes: number,
): SendPolicyStatus | undefined {
  const { when, budgetBytesPerDay, pass } = gate.policy;
  if (when.length === 0 && budgetBytesPerDay === 0) return undefined;
  const { reason } = gate;
  return {
    isOpen: reason === undefined,
    since: String(gate.since),
    ...defined({ reason }),
    conditions: [...gate.verdict.conditions],
    passing: [...pass],
    waiting: waitingOf(gate, reason === undefined ? [] : table.values(), partBytes),
    day: gate.day,
    spentBytes: gate.spentBytes,
    ...(budgetBytesPerDay === 0 ? {} : { budgetBytes: budgetBytesPerDay }),
  };
}

/** Pending segments that do not pass. */
function waitingOf(gate: SendGate, entries: Iterable<SegmentEntry>, partBytes: number): SendCost {
  const cost: SendCost = { segments: 0, bytes: 0, objects: 0, requests: 0 };
  for (const entry of entries) {
    if (entry.state === 'pending' && !gate.passes(entry)) addCost(cost, entry, partBytes);
  }
  return cost;
}
