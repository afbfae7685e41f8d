import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import type { Invocation } from './command-definition.js';
import { humanBytes, humanCount, humanDuration, printable } from '../../host/human.js';

const LIVE_INTERVAL_MS = 500;
const PLAIN_INTERVAL_MS = 10_000;

/**
 * Shows the state of a long-running command: one live line on a terminal, an occasional plain line elsewhere.
 * A supervised process stays silent, because its supervisor reports for both. Dispose of it to end it.
 */
export function reportLive(
  { terminal, json, supervised }: Pick<Invocation, 'terminal' | 'json' | 'supervised'>,
  describe: () => string | Promise<string>,
): Disposable {
  if (supervised || (json && !terminal.isLive)) return { [Symbol.dispose]() {} };
  const show = async (): Promise<void> => {
    const line = await describe();
    if (terminal.isLive) terminal.live(line);
    else terminal.note(`${line}\n`);
  };
  const timer = setInterval(
    () => void show().catch((error: unknown) => terminal.note(`status: ${String(error)}\n`)),
    terminal.isLive ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS,
  );
  timer.unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      terminal.live('');
    },
  };
}

/** The recorder in one line. */
export function recorderLine(status: RecorderStatus): string {
  const { totals, rates, lossWindow, wal, sealed } = status;
  const state = status.stalledReason ? `STALLED (${status.stalledReason})` : status.state;
  const dropped = totals.dropped > 0 ? `, ${humanCount(totals.dropped)} dropped` : '';
  const waiting = wal.waiting > 0 ? `, ${wal.waiting} waiting` : '';
  return (
    `${state}: ${humanCount(rates.messagesPerS)} msg/s ${humanBytes(rates.bytesPerS)}/s | ` +
    `${humanCount(totals.durable)} durable${dropped} | loss window ${humanDuration(lossWindow.ms)} | ` +
    `WAL ${humanBytes(wal.openBytes)}, ${sealed.segments} sealed${waiting}`
  );
}

/** Sync in one line. */
export function syncLine(status: SyncStatus): string {
  const { segments, bytes, current } = status;
  const retry =
    status.nextRetryInMs === undefined ? '' : ` (retry in ${humanDuration(status.nextRetryInMs)})`;
  const sending =
    current === undefined ? '' : ` | ${Math.floor(current.progress * 100)} % of ${humanBytes(current.bytes)}`;
  const retried = (segments.retrying ?? 0) > 0 ? ` | ${segments.retrying} FAILED, will be tried again` : '';
  const parked = segments.parked > 0 ? ` | ${segments.parked} PARKED` : '';
  const waits = [status.sendPolicy, ...(status.sinks ?? []).map((one) => one.sendPolicy)].find(
    (policy) => policy?.isOpen === false,
  );
  const waiting = waits === undefined ? '' : ` | WAITS: ${printable(waits.reason ?? '')}`;
  return (
    `${status.link}${retry}: ${segments.verified} verified, ${segments.pending} pending ` +
    `(${humanBytes(bytes.pending)}) | ${humanBytes(status.transferBytesPerS)}/s${sending}${retried}${parked}${waiting}`
  );
}
