import type { SendPolicyStatus, SyncStatus } from '../../core/status.js';
import { humanBytes, humanCount, humanDuration, printable } from '../../host/human.js';

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
    ...(waiting.segments === 0 ? [] : [`${label('waiting')}${costOf(waiting, budgetBytes)}`]),
    // The reason has them while segments wait.
    ...(isOpen
      ? unknown.map((one) => `${label('UNKNOWN')}${printable(one.condition)}: ${printable(one.reason)}`)
      : []),
    `${label('sent')}${humanBytes(spentBytes)}${budgetBytes === undefined ? '' : ` of ${humanBytes(budgetBytes)}`} on ${day}`,
  ];
}

/** What it costs to send what waits. */
function costOf(
  { segments, bytes, objects, requests }: SendPolicyStatus['waiting'],
  budget?: number,
): string {
  const days = budget === undefined ? '' : `, ${(bytes / budget).toFixed(1)} days of the budget`;
  return `${segments} segments, ${humanBytes(bytes)}, ${objects} objects, about ${humanCount(requests)} requests${days}`;
}

/** Robots that the line names. */
const ROBOTS_MAX = 5;

/** One line: what each robot sends on a day. */
export function describeForecast(
  forecast: SyncStatus['forecast'],
  label: (text: string) => string,
): string[] {
  if (forecast === undefined || forecast.length === 0) return [];
  const shown = forecast.slice(0, ROBOTS_MAX).map((one) => {
    const { robot, bytesPerDay, objectsPerDay, requestsPerDay } = one;
    const cost = `${humanBytes(bytesPerDay)}, ${humanCount(objectsPerDay)} objects, ${humanCount(requestsPerDay)} requests`;
    return `${robot === '' ? 'others' : printable(robot)} ${cost}`;
  });
  const rest = forecast.length - shown.length;
  return [`${label('per day')}${shown.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`];
}
