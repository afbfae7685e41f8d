import type { SendPolicyStatus } from '../../core/status.js';
import { humanBytes, humanDuration, printable } from '../../host/human.js';

/** When and how much a sink sends, in lines for a person; none without a policy. */
export function describeSendPolicy(
  policy: SendPolicyStatus | undefined,
  label: (text: string) => string,
  nowMs: number,
): string[] {
  if (policy === undefined) return [];
  const { isOpen, since, reason = '', waiting, passing, day, spentBytes, budgetBytes, conditions } = policy;
  const forMs = Math.max(0, nowMs - Number(BigInt(since) / 1_000_000n));
  const pass = passing.length === 0 ? '' : `; still sent: ${passing.join(', ')}`;
  const state = isOpen
    ? `yes, for ${humanDuration(forMs)}`
    : `no, for ${humanDuration(forMs)}: ${printable(reason)}${pass}`;
  const unknown = conditions.filter((one) => one.state === 'unknown');
  return [
    `${label('may send')}${state}`,
    ...(waiting.segments === 0
      ? []
      : [`${label('waiting')}${waiting.segments} segments, ${humanBytes(waiting.bytes)}`]),
    // The reason has them while segments wait.
    ...(isOpen
      ? unknown.map((one) => `${label('UNKNOWN')}${printable(one.condition)}: ${printable(one.reason)}`)
      : []),
    `${label('sent')}${humanBytes(spentBytes)}${budgetBytes === undefined ? '' : ` of ${humanBytes(budgetBytes)}`} on ${day}`,
  ];
}
