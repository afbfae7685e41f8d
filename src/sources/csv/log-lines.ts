import type { FileHandle } from '../../core/file-system.js';

/** A line of a file, or one that is too long to be read. */
export interface LogLine {
  /** From 1. */
  readonly number: number;
  /** Without its end; undefined: longer than {@link MAX_LINE_BYTES}. */
  readonly text: string | undefined;
  readonly bytes: number;
}

/** Longer lines are passed over without being held. */
export const MAX_LINE_BYTES = 64 * 1024;
const CHUNK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = /^\ufeff/;

/**
 * The lines of a file, a few at a time; never more than a chunk and a line of it are held, whatever the file
 * is. A row of a log is one line: a quote that is opened and never closed must not swallow what follows.
 */
export async function* logLines(handle: FileHandle, signal: AbortSignal): AsyncGenerator<LogLine[]> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  /** Bytes of a line too long of which the beginning was given up. */
  let dropped = 0;
  let number = 0;
  let position = 0;
  const line = (bytes: Buffer): LogLine => {
    number++;
    const total = dropped + bytes.length;
    dropped = 0;
    if (total > MAX_LINE_BYTES) return { number, text: undefined, bytes: total };
    const end = bytes[bytes.length - 1] === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
    const text = bytes.toString('utf8', 0, end);
    return { number, text: number === 1 ? text.replace(BYTE_ORDER_MARK, '') : text, bytes: total };
  };
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const lines: LogLine[] = [];
    let from = 0;
    for (;;) {
      const at = chunk.subarray(0, bytesRead).indexOf(LINE_FEED, from);
      if (at < 0) break;
      const part = chunk.subarray(from, at);
      lines.push(line(rest.length === 0 ? part : Buffer.concat([rest, part])));
      rest = Buffer.alloc(0);
      from = at + 1;
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
