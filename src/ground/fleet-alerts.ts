import { NS_PER_MS, type Clock, type Timer } from '../core/clock.js';
import { defined } from '../core/defined.js';
import type { Logger } from '../core/logger.js';
import type { AlertRule } from '../monitors/alerts/alert-rules.js';
import {
  describeAlert,
  evaluateAlerts,
  type Alert,
  type AlertMemories,
} from '../monitors/alerts/evaluate-alerts.js';
import type { KeptAlert } from './alert-table.js';
import { BacklogTrend, type BacklogLimits } from './backlog-trend.js';
import type { FleetRow } from './fleet-row.js';

const EVERY_MS = 5_000;
const MINUTE_MS = 60_000;
const SILENT_MS = 2 * MINUTE_MS;

/** What the ground watches at each robot. */
export const fleetAlertIds = [
  'robot_silent',
  'backlog_old',
  'backlog_growing',
  'disk_time_to_full',
  'drops',
  'segment_lost',
] as const;

export type FleetAlertId = (typeof fleetAlertIds)[number];

/** Absent: unknown, and the alert keeps its state. */
export interface FleetFacts {
  /** Time since the robot left; 0 while it is connected. */
  readonly silentMs?: number;
  /** Age of the oldest recorded message that is not in the store; 0: everything is there. */
  readonly oldestUnsyncedMs?: number;
  /** Growth of the unsynced bytes, see {@link BacklogTrend}. */
  readonly backlogGrowthBytes?: number;
  /** Infinite if the disk does not fill. */
  readonly diskTimeToFullMs?: number;
  /** Messages dropped since the last look. */
  readonly newlyDropped?: number;
  readonly lostSegments?: number;
}

const above = { bad: 'above', raiseAfterMs: 0, clearAfterMs: 0 } as const;

/** The rules for each robot. */
export function fleetRules({ growthBytes }: BacklogLimits): readonly FleetRule[] {
  const growing: FleetRule = {
    ...{ ...above, id: 'backlog_growing', severity: 'warning', unit: 'bytes', raise: growthBytes, clear: 0 },
    value: ({ backlogGrowthBytes }) => backlogGrowthBytes,
    summary: 'the robot records more than it uploads: its unsynced data grows',
  };
  return [...steadyRules, growing];
}

type FleetRule = AlertRule<FleetFacts, FleetAlertId>;

/** Those without a setting. */
const steadyRules: readonly FleetRule[] = [
  {
    ...{ ...above, id: 'robot_silent', severity: 'warning', unit: 'ms', raise: SILENT_MS, clear: 0 },
    value: ({ silentMs }) => silentMs,
    summary: 'the robot is not connected',
  },
  {
    ...{ ...above, id: 'backlog_old', severity: 'warning', unit: 'ms' },
    ...{ raise: 60 * MINUTE_MS, clear: 30 * MINUTE_MS },
    value: ({ oldestUnsyncedMs }) => oldestUnsyncedMs,
    summary: 'recorded data waits for the store for a long time',
  },
  {
    ...{ id: 'disk_time_to_full', severity: 'warning', unit: 'ms', bad: 'below' },
    ...{ raise: 60 * MINUTE_MS, clear: 90 * MINUTE_MS, raiseAfterMs: 10_000, clearAfterMs: 30_000 },
    value: ({ diskTimeToFullMs }) => diskTimeToFullMs,
    summary: 'the disk of the robot will soon be full at the present rate',
  },
  {
    ...{ ...above, id: 'drops', severity: 'warning', unit: 'messages', raise: 0, clear: 0 },
    clearAfterMs: MINUTE_MS,
    value: ({ newlyDropped }) => newlyDropped,
    summary: 'the robot drops messages; its recording counts each as a gap',
  },
  {
    ...{ ...above, id: 'segment_lost', severity: 'critical', unit: 'segments', raise: 0, clear: 0 },
    value: ({ lostSegments }) => lostSegments,
    summary: 'the store no longer holds segments that the robot has removed; no copy of them is known',
  },
];

export interface FleetAlertsPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly backlog: BacklogLimits;
}

/** Watches each robot from the ground, where also a robot that says nothing is noticed. */
export class FleetAlerts implements Disposable {
  readonly #rows: () => readonly FleetRow[];
  readonly #ports: FleetAlertsPorts;
  readonly #tell: (robot: string, alert: Alert<FleetAlertId>) => void;
  readonly #memories = new Map<string, AlertMemories<FleetAlertId>>();
  readonly #dropped = new Map<string, number>();
  readonly #backlogs = new Map<string, BacklogTrend>();
  readonly #rules: readonly FleetRule[];
  readonly #startedMs: number;
  readonly #timer: Timer;

  /**
   * @param tell - Called when an alert of a robot is raised or cleared.
   * @param before - The alerts when the ground ended.
   */
  constructor(
    rows: () => readonly FleetRow[],
    tell: (robot: string, alert: Alert<FleetAlertId>) => void,
    ports: FleetAlertsPorts,
    before: readonly KeptAlert[] = [],
  ) {
    this.#rows = rows;
    this.#tell = tell;
    this.#ports = ports;
    this.#rules = fleetRules(ports.backlog);
    this.#startedMs = Number(ports.clock.monotonic() / NS_PER_MS);
    for (const { robot, alert, raised, sinceMs, value } of before) {
      const memory = { raised, sinceMs, ...(value === null ? {} : { value }) };
      this.#memories.set(robot, { ...this.#memories.get(robot), [alert]: memory });
    }
    this.#timer = ports.clock.every(EVERY_MS, () => this.#look(), { background: true });
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #look(): void {
    const { clock } = this.#ports;
    const wallMs = Number(clock.now() / NS_PER_MS);
    const nowMs = Number(clock.monotonic() / NS_PER_MS);
    const rows = this.#rows();
    for (const row of rows) {
      const { robot } = row;
      const facts = this.#factsOf(row, wallMs, nowMs);
      const round = evaluateAlerts(this.#rules, facts, this.#memories.get(robot) ?? {}, nowMs, wallMs);
      this.#memories.set(robot, round.memories);
      for (const alert of round.changed) this.#changed(robot, alert);
    }
    this.#endForgotten(new Set(rows.map(({ robot }) => robot)), wallMs);
  }

  #changed(robot: string, alert: Alert<FleetAlertId>): void {
    const { logger } = this.#ports;
    if (alert.raised) logger.warn(`alert: ${alert.summary}`, { robot, alert: alert.id });
    else logger.info('alert cleared', { robot, alert: alert.id });
    this.#tell(robot, alert);
  }

  /** A robot that was revoked is no longer there: nothing is wrong with it any more. */
  #endForgotten(known: ReadonlySet<string>, sinceMs: number): void {
    for (const [robot, memories] of this.#memories) {
      if (known.has(robot)) continue;
      this.#memories.delete(robot);
      this.#dropped.delete(robot);
      this.#backlogs.delete(robot);
      for (const rule of this.#rules) {
        if (memories[rule.id]?.raised === true)
          this.#changed(robot, describeAlert(rule, { raised: false, sinceMs }));
      }
    }
  }

  #factsOf(row: FleetRow, wallMs: number, nowMs: number): FleetFacts {
    const { robot, connected, heardMs, status, unsyncedSinceMs } = row;
    // The first status that is known, also from before a restart, begins the count of drops.
    const base = status?.dropped;
    if (base !== undefined && !this.#dropped.has(robot)) this.#dropped.set(robot, base);
    const silentMs = connected ? 0 : this.#silentMs(wallMs - heardMs, nowMs);
    // What a robot said before it left says nothing about now.
    if (!connected || status === null) return defined({ silentMs });
    const { pendingBytes, dropped, diskFreeBytes, lostSegments } = status;
    const waitsMs = unsyncedSinceMs === null ? undefined : Math.max(0, wallMs - unsyncedSinceMs);
    const oldestUnsyncedMs = pendingBytes === 0 ? 0 : waitsMs;
    const full = diskFreeBytes === undefined ? undefined : (status.diskTimeToFullMs ?? Infinity);
    const newlyDropped = this.#newlyDropped(robot, dropped);
    const backlogGrowthBytes = this.#backlogGrowth(robot, nowMs, pendingBytes);
    return defined({
      ...{
        silentMs,
        oldestUnsyncedMs,
        backlogGrowthBytes,
        diskTimeToFullMs: full,
        newlyDropped,
        lostSegments,
      },
    });
  }

  /** A ground that has just started gives its robots the same time as always to connect. */
  #silentMs(sinceHeardMs: number, nowMs: number): number | undefined {
    const upMs = nowMs - this.#startedMs;
    return upMs < SILENT_MS && sinceHeardMs > upMs ? undefined : Math.max(0, sinceHeardMs);
  }

  #backlogGrowth(robot: string, nowMs: number, bytes: number | undefined): number | undefined {
    if (bytes === undefined) return undefined;
    const trend = this.#backlogs.get(robot) ?? new BacklogTrend(this.#ports.backlog.windowMs);
    this.#backlogs.set(robot, trend);
    return trend.note(nowMs, bytes);
  }

  /** A recorder that was started again counts from 0. */
  #newlyDropped(robot: string, dropped: number | undefined): number | undefined {
    if (dropped === undefined) return undefined;
    const before = this.#dropped.get(robot) ?? dropped;
    this.#dropped.set(robot, dropped);
    return dropped < before ? dropped : dropped - before;
  }
}
