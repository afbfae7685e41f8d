import type { FileHandle } from '../../core/file-system.js';
import { present } from '../../core/present.js';

/** A line of a file, or one that is too long. */
export interface LogLine {
  /** From 1. */
  readonly number: number;
  /** Without its line end; undefined: longer than {@link MAX_LINE_BYTES}. */
  readonly text: string | undefined;
  readonly bytes: number;
}

/** Longer lines are skipped without holding them in memory. */
export const MAX_LINE_BYTES = 64 * 1024;
const CHUNK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = /^\ufeff/;

/** Offsets of the ends of the lines in `bytes`: at LF, CR, or both in sequence. Each byte is looked at once. */
class LineEnds {
  readonly #next = new Map([LINE_FEED, CARRIAGE_RETURN].map((end) => [end, -1]));

  constructor(readonly bytes: Buffer) {}

  /** The first end from `from` on; undefined without one. Call it with rising offsets. */
  from(from: number): number | undefined {
    let first: number | undefined;
    for (const [end, known] of this.#next) {
      if (known < from) {
        const at = this.bytes.indexOf(end, from);
        this.#next.set(end, at < 0 ? Infinity : at);
      }
      const at = present(this.#next.get(end));
      if (at < (first ?? Infinity)) first = at;
    }
    return first;
  }
}

/**
 * The lines of a file, a few at a time; it holds at most a chunk and one line, for any file. A row of a log
 * is one line: a quote without its closing quote must not swallow the lines that follow.
 */
export async function* logLines(handle: FileHandle, signal: AbortSignal): AsyncGenerator<LogLine[]> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  /** Number of bytes of a too long line whose beginning was dropped. */
  let dropped = 0;
  let number = 0;
  let position = 0;
  /** The last byte was a CR that ended a line: an LF after it ends no other line. */
  let endedByCarriage = false;
  const line = (bytes: Buffer): LogLine => {
    number++;
    const total = dropped + bytes.length;
    dropped = 0;
    if (total > MAX_LINE_BYTES) return { number, text: undefined, bytes: total };
    const text = bytes.toString('utf8');
    return { number, text: number === 1 ? text.replace(BYTE_ORDER_MARK, '') : text, bytes: total };
  };
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const lines: LogLine[] = [];
    const read = chunk.subarray(0, bytesRead);
    const ends = new LineEnds(read);
    let from = endedByCarriage && read[0] === LINE_FEED ? 1 : 0;
    endedByCarriage = false;
    for (;;) {
      const at = ends.from(from);
      if (at === undefined) break;
      const part = read.subarray(from, at);
      lines.push(line(rest.length === 0 ? part : Buffer.concat([rest, part])));
      rest = Buffer.alloc(0);
      from = at + 1;
      if (read[at] !== CARRIAGE_RETURN) continue;
      if (from === bytesRead) endedByCarriage = true;
      else if (read[from] === LINE_FEED) from++;
    }
    rest = Buffer.concat([rest, chunk.subarray(from, bytesRead)]);
    if (rest.length > MAX_LINE_BYTES) {
      dropped += rest.length;
      rest = Buffer.alloc(0);
    }
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0 || dropped > 0) yield [line(rest)];
}
