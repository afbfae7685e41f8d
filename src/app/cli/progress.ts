import progress, { type Options, type Params } from 'cli-progress';
import { humanBytes } from '../../host/human.js';
import type { Terminal } from '../../host/terminal.js';

// A CommonJS module: its parts come with the default export.
const { Format, Presets } = progress;

const DRAW_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 5_000;

export interface ProgressOptions {
  readonly label: string;
  /** `bytes` are shown as sizes. Default: `count`. */
  readonly unit?: 'bytes' | 'count';
  readonly nowMs: () => number;
}

/** Progress of long work with a known end: a bar on a terminal, an occasional plain line elsewhere. */
export class Progress implements Disposable {
  #drawnAt = -Infinity;
  readonly #startedAt: number;

  readonly #terminal: Terminal;
  readonly #options: ProgressOptions;

  constructor(terminal: Terminal, options: ProgressOptions) {
    this.#terminal = terminal;
    this.#options = options;
    this.#startedAt = options.nowMs();
  }

  /** Cheap enough to be called for every object; it draws only when useful. */
  update(done: number, total: number): void {
    const now = this.#options.nowMs();
    const interval = this.#terminal.isLive ? DRAW_INTERVAL_MS : PLAIN_INTERVAL_MS;
    if (now - this.#drawnAt < interval) return;
    // Work that ends within a moment needs no plain line.
    const first = this.#drawnAt === -Infinity;
    this.#drawnAt = now;
    if (this.#terminal.isLive) this.#terminal.live(this.#bar(done, total));
    else if (!first) this.#terminal.note(`${this.#plain(done, total)}\n`);
  }

  [Symbol.dispose](): void {
    this.#terminal.live('');
  }

  #amount(value: number): string {
    return this.#options.unit === 'bytes' ? humanBytes(value) : value.toLocaleString('en');
  }

  #plain(done: number, total: number): string {
    const percent = total > 0 ? ` (${Math.floor((100 * done) / total)} %)` : '';
    return `${this.#options.label}: ${this.#amount(done)} of ${this.#amount(total)}${percent}`;
  }

  #bar(done: number, total: number): string {
    const options: Options = {
      ...Presets.shades_classic,
      format: `${this.#options.label} {bar} {percentage} % | ${this.#amount(done)} of ${this.#amount(total)} | {eta_formatted}`,
      barsize: 24,
      barCompleteString: '\u2588'.repeat(24),
      barIncompleteString: '\u2591'.repeat(24),
      formatBar: Format.BarFormat,
      formatTime: Format.TimeFormat,
      formatValue: Format.ValueFormat,
    };
    const share = total > 0 ? Math.min(1, done / total) : 1;
    const elapsedS = (this.#options.nowMs() - this.#startedAt) / 1_000;
    const params = {
      progress: share,
      eta: share > 0 ? Math.round((elapsedS * (1 - share)) / share) : 0,
      startTime: this.#startedAt,
      stopTime: 0,
      total,
      value: done,
      maxWidth: 0,
    } as unknown as Params;
    return Format.Formatter(options, params, {});
  }
}
