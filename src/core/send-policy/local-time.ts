/** A moment on the clock of a place. */
export interface LocalTime {
  /** `2026-12-01`. */
  readonly day: string;
  /** Minutes since midnight. */
  readonly minute: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-CA', {
      ...(timeZone === '' ? {} : { timeZone }),
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(timeZone, format);
  }
  return format;
}

/** @param timeZone - IANA name; empty: that of the system. */
export function localTime(timeNs: bigint, timeZone: string): LocalTime {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(Number(timeNs / 1_000_000n))
      .map(({ type, value }) => [type, value]),
  );
  const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
  const day = `${parts.get('year')}-${parts.get('month')}-${parts.get('day')}`;
  return { day, minute: number('hour') * 60 + number('minute') };
}

/** Empty, or a name of the time zone database that this runtime knows. */
export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}
