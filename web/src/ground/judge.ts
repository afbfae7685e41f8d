import { ago, bytes, coarse, duration, percent } from '../model/format.js';
import type { FleetRow } from './wire.js';

export type Tone = 'ok' | 'info' | 'warn' | 'bad' | 'quiet';

/** A fact about a robot as a person reads it. */
export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

/** What is shown of a robot. */
export interface Verdict {
  /** The worst of everything. */
  readonly tone: Tone;
  readonly state: Cell;
  readonly heard: Cell;
  readonly risk: Cell;
  readonly unsynced: Cell;
  readonly disk: Cell;
  readonly alerts: Cell;
}

const order: readonly Tone[] = ['bad', 'warn', 'quiet', 'info', 'ok'];
/** A robot that is silent for longer is more than in a tunnel. */
const LONG_SILENCE_MS = 300_000;
const OLD_BACKLOG_MS = 3_600_000;
const LOW_DISK = 0.1;
const SOON_FULL_MS = 3_600_000;
const RISK_MS = 1_000;
const SMALL_RISK_MS = 100;

/** Judges a robot by what it reported last. Unknown facts stay unknown. */
export function judge(row: FleetRow, nowMs: number): Verdict {
  const cells = {
    state: stateOf(row),
    heard: heardOf(row, nowMs),
    risk: asOfNow(row, riskOf(row)),
    unsynced: asOfNow(row, unsyncedOf(row, nowMs)),
    disk: asOfNow(row, diskOf(row)),
    alerts: alertsOf(row),
  };
  const tones = Object.values(cells).map(({ tone }) => tone);
  // A single fact that is unknown does not hide that the rest is fine.
  const counted = tones.filter((tone) => tone !== 'quiet' && tone !== 'info');
  const tone =
    cells.state.tone === 'quiet' ? worst([...counted, 'quiet']) : worst([...counted, cells.state.tone]);
  return { tone, ...cells };
}

/** The worst first, then by name. */
export function worstFirst(rows: readonly FleetRow[], nowMs: number): { row: FleetRow; verdict: Verdict }[] {
  return rows
    .map((row) => ({ row, verdict: judge(row, nowMs) }))
    .sort(
      (a, b) =>
        order.indexOf(a.verdict.tone) - order.indexOf(b.verdict.tone) ||
        a.row.robot.localeCompare(b.row.robot, 'en', { numeric: true }),
    );
}

function worst(tones: readonly Tone[]): Tone {
  return order.find((tone) => tones.includes(tone)) ?? 'ok';
}

const states: Readonly<Record<string, Cell>> = {
  recording: { text: 'Recording', tone: 'ok' },
  paused: { text: 'Paused', tone: 'warn' },
  stalled: { text: 'Stalled', tone: 'bad' },
  recovering: { text: 'Recovering', tone: 'info' },
  draining: { text: 'Stopping', tone: 'info' },
  stopped: { text: 'Stopped', tone: 'warn' },
  inactive: { text: 'Not recording', tone: 'warn' },
};

function stateOf({ status, connected }: FleetRow): Cell {
  const state = status?.state;
  if (state === undefined) return { text: 'Unknown', tone: 'quiet' };
  const found = states[state] ?? { text: state, tone: 'quiet' };
  // Nobody knows what it does now.
  return connected ? found : { text: `Was ${found.text.toLowerCase()}`, tone: 'quiet' };
}

function heardOf({ connected, heardMs }: FleetRow, nowMs: number): Cell {
  if (connected) return { text: 'now', tone: 'ok' };
  const silentMs = Math.max(0, nowMs - heardMs);
  return { text: `${coarse(silentMs)} ago`, tone: silentMs > LONG_SILENCE_MS ? 'bad' : 'warn' };
}

/** What a robot said before it left is no good news of now. */
function asOfNow({ connected }: FleetRow, cell: Cell): Cell {
  return connected || (cell.tone !== 'ok' && cell.tone !== 'info') ? cell : { ...cell, tone: 'quiet' };
}

function riskOf({ status }: FleetRow): Cell {
  const ms = status?.lossWindowMs;
  if (ms === undefined) return { text: 'unknown', tone: 'quiet' };
  // Between two writes it changes with each report, which tells nobody anything.
  if (ms < SMALL_RISK_MS) return { text: '<\u00a00.1\u00a0s', tone: 'ok' };
  return { text: duration(ms), tone: ms > RISK_MS ? 'warn' : 'ok' };
}

function unsyncedOf({ status, unsyncedSinceMs: since }: FleetRow, nowMs: number): Cell {
  const pending = status?.pendingBytes;
  if (status === null || pending === undefined) return { text: 'unknown', tone: 'quiet' };
  if ((status.lostSegments ?? 0) + (status.parkedSegments ?? 0) > 0)
    return { text: `${bytes(pending)}, some refused or lost`, tone: 'bad' };
  if (pending === 0) return { text: 'nothing waits', tone: 'ok' };
  const ageMs = since === null ? 0 : Math.max(0, nowMs - since);
  const age = since === null ? '' : `, ${coarse(ageMs)}`;
  // In a dead zone it is normal that data waits, but it is not fine.
  const young = status.link === 'offline' ? 'info' : 'ok';
  return { text: `${bytes(pending)}${age}`, tone: ageMs > OLD_BACKLOG_MS ? 'warn' : young };
}

function diskOf({ status }: FleetRow): Cell {
  const [free, total, fullMs] = [status?.diskFreeBytes, status?.diskTotalBytes, status?.diskTimeToFullMs];
  if (free === undefined || total === undefined || total === 0) return { text: 'unknown', tone: 'quiet' };
  const share = free / total;
  const soon = fullMs !== undefined && fullMs < SOON_FULL_MS;
  const text = soon ? `full in ${ago(fullMs)}` : `${percent(share * 100)} free`;
  return { text, tone: soon || share < LOW_DISK ? 'warn' : 'ok' };
}

function alertsOf({ alerts }: FleetRow): Cell {
  const [first] = [...alerts].sort((a, b) => rank(a.severity) - rank(b.severity));
  if (first === undefined) return { text: 'none', tone: 'ok' };
  const others = alerts.length > 1 ? ` and ${alerts.length - 1} more` : '';
  const text = `${first.id.replaceAll('_', ' ')}${others}`;
  return { text, tone: first.severity === 'critical' ? 'bad' : 'warn' };
}

function rank(severity: string): number {
  return severity === 'critical' ? 0 : 1;
}
