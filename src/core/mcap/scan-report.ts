import { defined } from '../defined.js';
/** A part of a file that could not be read completely; offsets in bytes, `to` exclusive. */
export interface UnreadableRange {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** What a scan has read and what it could not read: `bytesRead + bytesUnreadable = bytesTotal` at its end. */
export interface ScanReport {
  readonly bytesTotal: number;
  readonly bytesRead: number;
  readonly bytesUnreadable: number;
  /** In file order; at most {@link MAX_RANGES}. The last one also covers all that follow. */
  readonly ranges: readonly UnreadableRange[];
  /** Messages given out. */
  readonly messages: number;
  /** Those of them in chunks without a CRC, in cut chunks, or outside of chunks: only their form was checked. */
  readonly messagesUnchecked: number;
  /** Messages whose channel is not defined anywhere in the file; they are left out. */
  readonly messagesUndefined: number;
  /**
   * Messages with a payload that rosbag2 compressed and that does not decompress; `messages()` leaves them
   * out.
   */
  readonly messagesCompressed: number;
  /**
   * Records of types that this version of the format does not define, and others that are misplaced in a
   * chunk.
   */
  readonly recordsPassedOver: number;
  /** The data section was read to its end: no message can be missing after the last one. */
  readonly dataComplete: boolean;
  /** Footer and closing magic were present too. */
  readonly complete: boolean;
  /** Where the data section ends (just after its DataEnd record); undefined if that was not found. */
  readonly dataEnd?: number;
  /** Another MCAP begins after the end of this one, as in files that were put together; it is not read. */
  readonly followed: boolean;
  readonly profile: string;
  readonly library: string;
  readonly attachments: number;
  readonly metadataRecords: number;
}

export const MAX_RANGES = 1000;

/** True if messages are or may be missing. Other damage after the data section affects no message. */
export function lacksMessages(report: ScanReport): boolean {
  return (
    !report.dataComplete ||
    report.followed ||
    report.messagesUndefined > 0 ||
    report.messagesCompressed > 0 ||
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
  if (report.messagesCompressed > 0) {
    parts.push(`${report.messagesCompressed} messages are compressed and do not decompress`);
  }
  if (!report.dataComplete)
    parts.push('the file ends before its data section does: its recorder was stopped');
  return `${name}: ${parts.join('; ')}`;
}

/** Builds the report during a scan. */
export class ScanLedger {
  readonly ranges: { from: number; to: number; reason: string }[] = [];
  bytesTotal = 0;
  bytesUnreadable = 0;
  messages = 0;
  messagesUnchecked = 0;
  messagesUndefined = 0;
  messagesCompressed = 0;
  recordsPassedOver = 0;
  dataEnd: number | undefined;
  complete = false;
  followed = false;
  profile = '';
  library = '';
  attachments = 0;
  metadataRecords = 0;

  /** Counts a range as unreadable; adjacent ranges with the same reason become one. */
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
      messagesCompressed: this.messagesCompressed,
      recordsPassedOver: this.recordsPassedOver,
      dataComplete: this.dataEnd !== undefined,
      complete: this.complete,
      ...defined({ dataEnd: this.dataEnd }),
      followed: this.followed,
      profile: this.profile,
      library: this.library,
      attachments: this.attachments,
      metadataRecords: this.metadataRecords,
    };
  }
}
