import type { Writable } from 'node:stream';
import { isAborted } from '../core/is-aborted.js';
import { onAbort } from '../core/on-abort.js';

/** The two output streams of the process or of a test. */
export interface TerminalStreams {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

const CLEAR_LINE = '\r\u001b[K';
const DEFAULT_COLUMNS = 80;

/**
 * The output of a command. Results go to standard output, everything else to standard error. On a terminal,
 * one live line (a bar, a status) stays below the log. A reader that closes its end (`| head`) is not an
 * error: {@link closed} reports it, and further output is dropped.
 */
export class Terminal {
  readonly #closed = new AbortController();
  #live = '';
  #shown = false;

  readonly #streams: TerminalStreams;

  constructor(streams: TerminalStreams) {
    this.#streams = streams;
    streams.stdout.on('error', () => this.#closed.abort());
    streams.stderr.on('error', () => {});
  }

  /** Aborts once standard output has no reader. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Whether standard error is a terminal. */
  get isLive(): boolean {
    return this.#streams.stderr.isTTY === true;
  }

  /** One line of result. Resolves when the reader has room for the next. */
  out(line: string): Promise<void> {
    return this.text(`${line}\n`);
  }

  /** Text of a result, with its line ends. Resolves when the reader has room for more. */
  async text(text: string | Uint8Array): Promise<void> {
    const { stdout } = this.#streams;
    if (this.#closed.signal.aborted) return;
    this.#hide();
    const hasRoom = stdout.write(text);
    if (!hasRoom && !isAborted(this.#closed.signal)) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          stdout.off('drain', done);
          unlisten();
          resolve();
        };
        stdout.once('drain', done);
        const unlisten = onAbort(this.#closed.signal, done);
      });
    }
    this.#show();
  }

  /** Text for a person or a log, with its line ends. */
  note(text: string): void {
    this.#hide();
    this.#streams.stderr.write(text);
    this.#show();
  }

  /** Replaces the live line; empty: none. Without a terminal, nothing is shown. */
  live(text: string): void {
    if (!this.isLive) return;
    this.#hide();
    this.#live = text.slice(0, (this.#streams.stderr.columns ?? DEFAULT_COLUMNS) - 1);
    this.#show();
  }

  #hide(): void {
    if (this.#shown) this.#streams.stderr.write(CLEAR_LINE);
    this.#shown = false;
  }

  #show(): void {
    if (this.#live === '') return;
    this.#streams.stderr.write(this.#live);
    this.#shown = true;
  }

  /** Resolves when the system has everything that was written. */
  async flush(): Promise<void> {
    this.live('');
    for (const stream of [this.#streams.stdout, this.#streams.stderr]) {
      if (stream.destroyed || stream.writableEnded) continue;
      await new Promise<void>((done) => stream.write('', () => done()));
    }
  }
}
