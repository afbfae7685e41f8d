/** A part of a file that could not be read whole; offsets in bytes, `to` exclusive. */
export interface UnreadableRange {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** What a scan has read and what not: `bytesRead + bytesUnreadable = bytesTotal` at its end. */
export interface ScanReport {
  readonly bytesTotal: number;
  readonly bytesRead: number;
  readonly bytesUnreadable: number;
  /** In file order; at most {@link MAX_RANGES}, the last one then also covers what follows. */
  readonly ranges: readonly UnreadableRange[];
  /** Messages given out. */
  readonly messages: number;
  /** Of them, those in chunks without a CRC, cut chunks, or no chunk at all: only their form was checked. */
  readonly messagesUnchecked: number;
  /** Messages whose channel nothing in the file defines any more; not given out. */
  readonly messagesUndefined: number;
  /** The data section was seen to its end: no message can be missing behind the last one. */
  readonly dataComplete: boolean;
  /** Footer and closing magic were there too. */
  readonly complete: boolean;
  /** Where the data section ends (just behind its DataEnd record); undefined where that was not found. */
  readonly dataEnd?: number;
  readonly profile: string;
  readonly library: string;
  readonly attachments: number;
  readonly metadataRecords: number;
}

export const MAX_RANGES = 1000;

/** True when messages are missing, or may be: damage behind the data section harms none. */
export function lacksMessages(report: ScanReport): boolean {
  return (
    !report.dataComplete ||
    report.messagesUndefined > 0 ||
    report.ranges.some((range) => report.dataEnd === undefined || range.from < report.dataEnd)
  );
}

/** One sentence for a person: how much could not be read, where and why. */
export function describeDamage(name: string, report: ScanReport): string {
  const parts: string[] = [];
  const [first] = report.ranges;
  if (first !== undefined) {
    const more = report.ranges.length > 1 ? ` (the first of ${report.ranges.length} places)` : '';
    parts.push(
      `${report.bytesUnreadable} of ${report.bytesTotal} bytes could not be read: from byte ${first.from} to ${first.to} there is ${first.reason}${more}`,
    );
  }
  if (report.messagesUndefined > 0) {
    parts.push(`${report.messagesUndefined} messages belong to channels whose definition is lost`);
  }
  if (!report.dataComplete)
    parts.push('the file ends before its data section does: its recorder was stopped');
  return `${name}: ${parts.join('; ')}`;
}

/** The report in the making. */
export class ScanLedger {
  readonly ranges: { from: number; to: number; reason: string }[] = [];
  bytesTotal = 0;
  bytesUnreadable = 0;
  messages = 0;
  messagesUnchecked = 0;
  messagesUndefined = 0;
  dataEnd: number | undefined;
  complete = false;
  profile = '';
  library = '';
  attachments = 0;
  metadataRecords = 0;

  /** Books a range as unreadable; touching ranges of one reason become one. */
  unreadable(from: number, to: number, reason: string): void {
    if (to <= from) return;
    this.bytesUnreadable += to - from;
    const last = this.ranges.at(-1);
    if (last !== undefined && last.to === from && last.reason === reason) last.to = to;
    else if (last !== undefined && this.ranges.length >= MAX_RANGES) last.to = to;
    else this.ranges.push({ from, to, reason });
  }

  report(): ScanReport {
    return {
      bytesTotal: this.bytesTotal,
      bytesRead: this.bytesTotal - this.bytesUnreadable,
      bytesUnreadable: this.bytesUnreadable,
      ranges: this.ranges.map((range) => ({ ...range })),
      messages: this.messages,
      messagesUnchecked: this.messagesUnchecked,
      messagesUndefined: this.messagesUndefined,
      dataComplete: this.dataEnd !== undefined,
      complete: this.complete,
      ...(this.dataEnd === undefined ? {} : { dataEnd: this.dataEnd }),
      profile: this.profile,
      library: this.library,
      attachments: this.attachments,
      metadataRecords: this.metadataRecords,
    };
  }
}
