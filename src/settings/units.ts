const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const MS_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function scaled(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (!match) return undefined;
  const factor = units[match[2]!.toLowerCase()];
  if (factor === undefined) return undefined;
  const value = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Bytes of `67108864`, `64MiB`, `64 MB` (decimal) or `1.5GiB`; `undefined` for anything else. */
export function parseBytes(text: string): number | undefined {
  return scaled(text, BYTE_UNITS);
}

/** Milliseconds of `500`, `500ms`, `2s`, `5min`, `1h` or `7d`; `undefined` for anything else. */
export function parseDurationMs(text: string): number | undefined {
  return scaled(text, MS_UNITS);
}

/** Bytes per second of `25MB/s`, `25MB` or `25000000`; `undefined` for anything else. */
export function parseBytesPerS(text: string): number | undefined {
  return parseBytes(text.trim().replace(/\/s$/i, ''));
}

/** `64MiB`: exact, in the largest binary unit that divides it; reads back to the same number. */
export function formatBytes(bytes: number): string {
  for (const [unit, factor] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** `20ms`, `2s`, `5min`: exact, in the largest unit that divides it; reads back to the same number. */
export function formatDurationMs(ms: number): string {
  for (const [unit, factor] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}
