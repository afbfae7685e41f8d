import { defined } from '../core/defined.js';
import type { SendPolicyStatus } from '../core/status.js';
import type { SendGate } from './send-gate.js';
import type { SegmentTable } from './segment-table.js';

/** What the send policy says now, and what waits for it; undefined: there is no policy. */
export function policyStatus(gate: SendGate, table: SegmentTable): SendPolicyStatus | undefined {
  const { when, budgetBytesPerDay, pass } = gate.policy;
  if (when.length === 0 && budgetBytesPerDay === 0) return undefined;
  const { reason } = gate;
  return {
    isOpen: reason === undefined,
    since: String(gate.since),
    ...defined({ reason }),
    conditions: [...gate.verdict.conditions],
    passing: [...pass],
    waiting: reason === undefined ? { segments: 0, bytes: 0 } : waitingOf(gate, table),
    day: gate.day,
    spentBytes: gate.spentBytes,
    ...(budgetBytesPerDay === 0 ? {} : { budgetBytes: budgetBytesPerDay }),
  };
}

/** Pending segments that do not pass. */
function waitingOf(gate: SendGate, table: SegmentTable): SendPolicyStatus['waiting'] {
  let segments = 0;
  let bytes = 0;
  for (const entry of table.values()) {
    if (entry.state !== 'pending' || gate.passes(entry)) continue;
    segments++;
    bytes += entry.bytes;
  }
  return { segments, bytes };
}
