import { LevelLogger, type LogFields, type Logger, type LogLevel } from '../../core/logger.js';
import { createStreamLogger } from '../../host/stream-logger.js';

/** The used members of rclnodejs' logger of a node. */
export interface RclLogger {
  debug(text: string): boolean;
  info(text: string): boolean;
  warn(text: string): boolean;
  error(text: string): boolean;
  readonly loggerEffectiveLevel: unknown;
  setLoggerLevel(level: number): void;
}

/** rcutils' severities. */
export const severities: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 };

const PREFIX = /^\S+ \S+ +/;

/**
 * Logs through the node while there is one: to the console in ROS' own form and, if the node's level allows
 * it, to /rosout. Before and after that, to standard error.
 */
export class NodeLogger extends LevelLogger {
  #node: RclLogger | undefined;
  #format: 'text' | 'json' = 'text';

  readonly #nowMs: () => number;
  readonly #write: (line: string) => void;

  constructor(nowMs: () => number, write: (line: string) => void) {
    super();
    this.#nowMs = nowMs;
    this.#write = write;
  }

  /** @param node - `undefined`: from now on to standard error. */
  attach(node: RclLogger | undefined): void {
    this.#node = node;
  }

  set format(format: 'text' | 'json') {
    this.#format = format;
  }

  /** The lowest level that the node logs: from `--log-level`, or set later. */
  get level(): LogLevel {
    const severity = Number(this.#node?.loggerEffectiveLevel ?? severities.info);
    // Holdfast never logs `fatal`.
    return severity <= severities.debug
      ? 'debug'
      : severity <= severities.info
        ? 'info'
        : severity <= severities.warn
          ? 'warn'
          : 'error';
  }

  set level(level: LogLevel) {
    this.#node?.setLoggerLevel(severities[level]);
  }

  protected override log(level: LogLevel, event: string, fields: LogFields): void {
    const node = this.#node;
    if (node === undefined) {
      if (level !== 'debug') this.#stream(this.#write)[level](event, fields);
      return;
    }
    this.#stream((line) => {
      // rcutils adds time and level, and ends its lines.
      const text = line.trimEnd();
      node[level](this.#format === 'json' ? text : text.replace(PREFIX, ''));
    })[level](event, fields);
  }

  #stream(write: (line: string) => void): Logger {
    return createStreamLogger({ level: 'debug', format: this.#format, nowMs: this.#nowMs, write });
  }
}
