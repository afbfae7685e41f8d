import { defined } from '../../core/defined.js';
import type { AlertId, AlertRule, AlertSeverity } from './alert-rules.js';

/** One alert as API, page, metrics, webhook and `/diagnostics` show it. */
export interface Alert<Id extends string = AlertId> {
  readonly id: Id;
  readonly severity: AlertSeverity;
  readonly raised: boolean;
  /** Milliseconds since the Unix epoch of the last change; absent if it was never raised. */
  readonly sinceMs?: number;
  /** Last known value; absent: unknown. */
  readonly value?: number;
  readonly limit: number;
  readonly unit: string;
  readonly summary: string;
}

/** What one rule remembers between two evaluations. */
export interface AlertMemory {
  readonly raised: boolean;
  readonly sinceMs?: number;
  /** Since when the opposite of the present state has held. */
  readonly turningSinceMs?: number;
  readonly value?: number;
}

export type AlertMemories<Id extends string = AlertId> = Readonly<Partial<Record<Id, AlertMemory>>>;

export interface AlertRound<Id extends string = AlertId> {
  readonly memories: AlertMemories<Id>;
  readonly alerts: readonly Alert<Id>[];
  /** Those that this evaluation raised or cleared. */
  readonly changed: readonly Alert<Id>[];
}

type AnyRule = AlertRule<never, string>;

const quiet: AlertMemory = { raised: false };

/**
 * Evaluates the facts once. Pure: the same rules, facts, memories and time give the same result. Call it with
 * growing `nowMs` (of a monotonic clock) and the result of the last call; `wallMs` dates the changes.
 */
export function evaluateAlerts<Facts, Id extends string>(
  rules: readonly AlertRule<Facts, Id>[],
  facts: Facts,
  memories: AlertMemories<Id>,
  nowMs: number,
  wallMs: number,
): AlertRound<Id> {
  const next: Partial<Record<Id, AlertMemory>> = {};
  const alerts: Alert<Id>[] = [];
  const changed: Alert<Id>[] = [];
  for (const rule of rules) {
    const before = memories[rule.id] ?? quiet;
    const memory = step(rule, rule.value(facts), before, nowMs, wallMs);
    next[rule.id] = memory;
    const alert = describeAlert(rule, memory);
    alerts.push(alert);
    if (memory.raised !== before.raised) changed.push(alert);
  }
  return { memories: next, alerts, changed };
}

function step(
  rule: AnyRule,
  value: number | undefined,
  before: AlertMemory,
  nowMs: number,
  wallMs: number,
): AlertMemory {
  // An unknown value changes nothing: a process that does not answer neither raises nor clears.
  if (value === undefined) return withoutTurning(before);
  const known = { ...before, value };
  if (!isTurning(rule, value, before.raised)) return withoutTurning(known);
  const since = before.turningSinceMs ?? nowMs;
  const afterMs = before.raised ? rule.clearAfterMs : rule.raiseAfterMs;
  if (nowMs - since < afterMs) return { ...known, turningSinceMs: since };
  return { raised: !before.raised, sinceMs: wallMs, value };
}

/** Whether the value indicates the other state. Between `raise` and `clear` it indicates neither. */
function isTurning({ bad, raise, clear }: AnyRule, value: number, raised: boolean): boolean {
  if (bad === 'above') return raised ? value <= clear : value > raise;
  return raised ? value >= clear : value < raise;
}

function withoutTurning({ turningSinceMs: _, ...memory }: AlertMemory): AlertMemory {
  return memory;
}

/** An alert as people get it, from what its rule remembers. */
export function describeAlert<Id extends string>(
  rule: AlertRule<never, Id>,
  { raised, sinceMs, value }: AlertMemory,
): Alert<Id> {
  return {
    id: rule.id,
    severity: rule.severity,
    raised,
    ...defined({ sinceMs }),
    // JSON has no infinity: "never full" has no value.
    ...(value === undefined || !Number.isFinite(value) ? {} : { value }),
    limit: rule.raise,
    unit: rule.unit,
    summary: rule.summary,
  };
}
