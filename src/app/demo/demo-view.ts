import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import { humanBytes, humanCount, humanDuration } from '../../host/human.js';
import type { Terminal } from '../../host/terminal.js';
import type { DemoPhase } from './demo-plan.js';

export interface DemoMoment {
  readonly elapsedMs: number;
  readonly durationMs: number;
  readonly phase: DemoPhase;
  readonly sent: number;
  /** Undefined: the process is dead. */
  readonly recorder: RecorderStatus | undefined;
  readonly sync: SyncStatus | undefined;
  readonly reachable: boolean;
}

const PLAIN_INTERVAL_MS = 5_000;
const BAR = 24;

/** The live view: redrawn in place on a terminal, an occasional plain line elsewhere. */
export class DemoView {
  #drawnLines = 0;
  #plainAt = -Infinity;

  readonly #terminal: Terminal;
  readonly #quiet: boolean;

  constructor(terminal: Terminal, quiet: boolean) {
    this.#terminal = terminal;
    this.#quiet = quiet;
  }

  show(moment: DemoMoment): void {
    if (this.#quiet) return;
    if (this.#terminal.isLive) {
      const lines = liveLines(moment);
      this.#terminal.note(`${this.#rewind()}${lines.join('\n')}\n`);
      this.#drawnLines = lines.length;
    } else if (moment.elapsedMs - this.#plainAt >= PLAIN_INTERVAL_MS) {
      this.#plainAt = moment.elapsedMs;
      this.#terminal.note(`${plainLine(moment)}\n`);
    }
  }

  /** A line that stays above the live view. */
  event(line: string): void {
    if (this.#quiet) return;
    this.#terminal.note(`${this.#rewind()}${line}\n`);
    this.#drawnLines = 0;
  }

  #rewind(): string {
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}F\u001b[0J` : '';
    this.#drawnLines = 0;
    return up;
  }
}

function bar(share: number, width = BAR): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

function liveLines(moment: DemoMoment): string[] {
  const { elapsedMs, durationMs, phase, sent, recorder, sync } = moment;
  return [
    '',
    `  ${bar(elapsedMs / durationMs, 40)} ${humanDuration(Math.min(elapsedMs, durationMs))} of ${humanDuration(durationMs)}, ${phase}`,
    `  fleet     ${humanCount(sent)} messages sent`,
    `  recorder  ${recorder ? recorderText(recorder) : 'DEAD (kill -9)'}`,
    `  WAL       ${recorder ? walText(recorder) : ''}`,
    `  sync      ${sync ? syncText(sync) : 'DEAD (kill -9)'}`,
    `  upload    ${sync ? uploadText(sync) : ''}`,
  ];
}

function recorderText({ rates, totals, lossWindow, commits }: RecorderStatus): string {
  return (
    `${humanCount(rates.messagesPerS)} msg/s, ${humanBytes(rates.bytesPerS)}/s, ` +
    `${humanCount(totals.durable)} durable, ${humanCount(totals.dropped)} dropped, ` +
    `at risk ${humanDuration(lossWindow.ms)}, commit p99 ${humanDuration(commits.p99Ms)}`
  );
}

function walText({ wal, sealed }: RecorderStatus): string {
  return `${bar(wal.openBytes / wal.segmentMaxBytes)} ${humanBytes(wal.openBytes)} open, ${wal.waiting} being sealed, ${humanCount(sealed.segments)} sealed`;
}

function syncText({ link, segments, bytes, lastError, nextRetryInMs }: SyncStatus): string {
  const error = link === 'offline' && lastError !== undefined ? `: ${lastError.slice(0, 60)}` : '';
  const retry = nextRetryInMs === undefined ? '' : `, next try in ${humanDuration(nextRetryInMs)}`;
  return `link ${link}${error}${retry}; ${segments.verified} verified, ${segments.pending} waiting (${humanBytes(bytes.pending)})`;
}

function uploadText({ current, transferBytesPerS }: SyncStatus): string {
  if (!current) return 'nothing to send';
  return `${bar(current.progress)} ${Math.round(current.progress * 100)} % of ${humanBytes(current.bytes)} (${current.robot}), ${humanBytes(transferBytesPerS)}/s`;
}

function plainLine({ elapsedMs, phase, sent, recorder, sync }: DemoMoment): string {
  const recorded = recorder ? `${humanCount(recorder.totals.durable)} durable in this run` : 'recorder dead';
  const synced = sync
    ? `link ${sync.link}, ${sync.segments.verified} verified, ${sync.segments.pending} waiting`
    : 'sync dead';
  return `${(elapsedMs / 1000).toFixed(0).padStart(5)} s  ${phase}: ${humanCount(sent)} sent; ${recorded}; ${synced}`;
}
