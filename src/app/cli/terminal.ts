import type { Writable } from 'node:stream';

/** The two output streams, as the process or a test has them. */
export interface TerminalStreams {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

const CLEAR_LINE = '\r\u001b[K';
const DEFAULT_COLUMNS = 80;

/**
 * Where a command speaks: results on standard output, everything else on standard error, where on a
 * terminal one live line (a bar, a status) stays below the log. A reader that goes away (`| head`) is no
 * error: {@link closed} says so and further output is dropped.
 */
export class Terminal {
  readonly #closed = new AbortController();
  #live = '';
  #shown = false;

  constructor(private readonly streams: TerminalStreams) {
    streams.stdout.on('error', () => this.#closed.abort());
    streams.stderr.on('error', () => {});
  }

  /** Aborted once nobody reads standard output. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Whether a person watches standard error. */
  get isLive(): boolean {
    return this.streams.stderr.isTTY === true;
  }

  /** One line of result. Resolves when the reader has room for the next. */
  async out(line: string): Promise<void> {
    const { stdout } = this.streams;
    if (this.#closed.signal.aborted) return;
    this.#hide();
    const hasRoom = stdout.write(`${line}\n`);
    if (!hasRoom && !this.#closed.signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          stdout.off('drain', done);
          this.#closed.signal.removeEventListener('abort', done);
          resolve();
        };
        stdout.once('drain', done);
        this.#closed.signal.addEventListener('abort', done, { once: true });
      });
    }
    this.#show();
  }

  /** Text for a person or a log, with its line ends. */
  note(text: string): void {
    this.#hide();
    this.streams.stderr.write(text);
    this.#show();
  }

  /** Replaces the live line; empty: none. Without a terminal nothing is shown. */
  live(text: string): void {
    if (!this.isLive) return;
    this.#hide();
    this.#live = text.slice(0, (this.streams.stderr.columns ?? DEFAULT_COLUMNS) - 1);
    this.#show();
  }

  #hide(): void {
    if (this.#shown) this.streams.stderr.write(CLEAR_LINE);
    this.#shown = false;
  }

  #show(): void {
    if (this.#live === '') return;
    this.streams.stderr.write(this.#live);
    this.#shown = true;
  }

  /** Resolves when everything written has been handed to the system. */
  async flush(): Promise<void> {
    this.live('');
    for (const stream of [this.streams.stdout, this.streams.stderr]) {
      if (stream.destroyed || stream.writableEnded) continue;
      await new Promise<void>((done) => stream.write('', () => done()));
    }
  }
}
