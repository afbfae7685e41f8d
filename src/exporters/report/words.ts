import { formatTime } from '../../core/clock.js';
import { humanCount, humanDuration } from '../../core/human-numbers.js';

/** `1 segment`, `3,502 messages`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`;
}

/** `2026-11-28 18:31:09.670 UTC`. */
export function clockTime(timeNs: bigint): string {
  const text = formatTime(timeNs);
  return text.endsWith('Z') ? `${text.slice(0, 10)} ${text.slice(11, 23)} UTC` : text;
}

/** `18:31:09.670` for a time in the range. */
export function timeOfDay(startNs: bigint, atS: number): string {
  const text = formatTime(startNs + BigInt(Math.round(atS * 1e9)));
  return text.endsWith('Z') ? text.slice(11, 23) : text;
}

export function duration(seconds: number): string {
  return humanDuration(seconds * 1_000);
}

/** A duration in milliseconds that may be far below one, or negative. */
export function latencyText(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  if (ms < 0) return `−${latencyText(-ms)}`;
  if (ms < 0.9995) return `${(ms * 1_000).toFixed(0)} µs`;
  if (ms < 99.95) return `${ms.toFixed(1)} ms`;
  if (ms < 9_999.5) return `${humanCount(ms)} ms`;
  return humanDuration(ms);
}

/** `199.8`, `0.98`: three digits are enough. */
export function rateText(hz: number): string {
  if (hz === 0) return '0';
  if (hz >= 99.95) return hz.toFixed(hz >= 999.5 ? 0 : 1);
  return hz >= 9.995 ? hz.toFixed(1) : Number(hz.toPrecision(3)).toString();
}

/** Never 100 % if something is missing. */
export function percentText(share: number): string {
  const percent = 100 * share;
  if (percent < 100 && percent > 99) return `${(Math.floor(percent * 10) / 10).toFixed(1)} %`;
  return `${Math.round(percent)} %`;
}

/** `a, b and 3 more`. */
export function listed(names: readonly string[], most = 3): string {
  if (names.length <= most)
    return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** What happened to missing messages, for each reason of a gap. */
const reasons: Readonly<Record<string, string>> = {
  queue_full_drop_oldest: 'dropped because their queue was full (oldest first)',
  queue_full_drop_newest: 'dropped because their queue was full (newest first)',
  memory_limit: 'dropped at the memory limit',
  message_too_large: 'too large to be recorded',
  commit_failed: 'lost in a failed write',
  disk_full: 'not written because the disk was full',
  unclean_end: 'lost at an end without a stop (kill or power loss)',
  lost_in_kill: 'lost in a kill: received, not yet durable',
  missed_while_down: 'sent while the recorder was down',
  source_unreadable: 'unreadable at the source',
  source_lost: 'lost before they reached the recorder',
  not_received: 'not received: nothing came although a publisher was there',
  corrupt: 'damaged on the disk',
  invalid_message: 'refused: no valid message',
  paused: 'not recorded while paused',
  evicted: 'deleted by policy before their upload',
  decimated: 'left out on request (max_hz, every)',
  deleted: 'deleted on request',
};

export function reasonText(reason: string): string {
  return reasons[reason] ?? reason;
}
