/** Numbers and times for people, in the same forms as on the command line. */

/** Between a number and its unit, where a line must not break. */
const NB = '\u00a0';
const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `1.5 GB`, decimal, as for disks and links. */
export function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 999.5 && unit < byteUnits.length - 1) {
    scaled /= 1_000;
    unit++;
  }
  return `${unit === 0 || scaled >= 99.5 ? Math.round(scaled) : scaled.toFixed(1)}${NB}${byteUnits[unit]}`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** `1,182`, `48.2`, `0.97`: as many digits as matter for a rate. */
export function rate(value: number): string {
  if (value === 0) return '0';
  if (value >= 100) return count(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function percent(value: number): string {
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)}${NB}%`;
}

/** A share as whole percent, rounded down, so that only a complete share is 100 %. */
export function share(value: number): string {
  return `${Math.floor(value * 100)}${NB}%`;
}

/** `850 ms`, `12.3 s`, `4 min 10 s`, `3 h 5 min`, `2 d 3 h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  if (ms < 1_000) return `${ms > 0 && ms < 9.95 ? ms.toFixed(1) : Math.round(ms)}${NB}ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)}${NB}s`;
  return coarse(ms);
}

/** Whole seconds at most: for values that count up on the page. */
export function coarse(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1_000));
  if (s < 60) return `${s}${NB}s`;
  if (s < 3_600) return joined(Math.floor(s / 60), 'min', s % 60, 's');
  const min = Math.round(s / 60);
  if (min < 48 * 60) return joined(Math.floor(min / 60), 'h', min % 60, 'min');
  const h = Math.round(min / 60);
  return joined(Math.floor(h / 24), 'd', h % 24, 'h');
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return [large, largeUnit, ...(small === 0 ? [] : [small, smallUnit])].join(NB);
}

/** An age in its largest unit, for a narrow column. */
export function ago(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1_000));
  if (s < 60) return `${s}${NB}s`;
  if (s < 3_600) return `${Math.floor(s / 60)}${NB}min`;
  return s < 172_800 ? `${Math.floor(s / 3_600)}${NB}h` : `${Math.floor(s / 86_400)}${NB}d`;
}

/** Decimal nanoseconds to milliseconds since the Unix epoch. */
export function msOf(ns: string): number {
  return Number(BigInt(ns) / 1_000_000n);
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const shortClock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** `04:12:33`, with the date unless it is today. */
export function timeOfDay(ms: number, nowMs = Date.now()): string {
  const text = clock.format(ms);
  return Math.abs(nowMs - ms) < 43_200_000 ? text : `${day.format(ms)} ${text}`;
}

export function hourMinute(ms: number): string {
  return shortClock.format(ms);
}

/** `3 Dec`. */
export function dayOf(ms: number): string {
  return day.format(ms);
}

/** In the form of an input of date and time, on the clock of the browser. */
export function inputTime(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}

/** `1 segment`, `12 segments`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `42` for `000000000042-0f1e…`. */
export function segmentName(id: string): string {
  const match = /^(\d{12})-/.exec(id);
  return match ? String(Number(match[1])) : id;
}

/** Gap reasons in words. */
const reasons: Readonly<Record<string, string>> = {
  queue_full_drop_oldest: 'queue full, oldest dropped',
  queue_full_drop_newest: 'queue full, newest dropped',
  memory_limit: 'memory limit',
  message_too_large: 'message too large',
  commit_failed: 'commit failed',
  disk_full: 'disk full',
  unclean_end: 'the recorder was killed or lost power',
  lost_in_kill: 'lost in a kill',
  missed_while_down: 'missed while the recorder was down',
  source_unreadable: 'source unreadable',
  source_lost: 'source lost',
  not_received: 'nothing came from a publisher that was there',
  corrupt: 'corrupt',
  invalid_message: 'invalid message',
  paused: 'recording was paused',
  evicted: 'evicted',
  decimated: 'left out by a rule',
  deleted: 'deleted on request',
};

export function reasonInWords(reason: string): string {
  return reasons[reason] ?? reason.replaceAll('_', ' ');
}
