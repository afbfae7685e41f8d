import type { LogFields, Logger, LogLevel } from '../../core/logger.js';
import { createStreamLogger } from '../system/stream-logger.js';

/** What is used of rclnodejs' logger of a node. */
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
 * Logs through the node once there is one: to the console in ROS' own form and, as the node's level allows,
 * to /rosout. Before and after that, to standard error.
 */
export class NodeLogger implements Logger {
  #node: RclLogger | undefined;
  #format: 'text' | 'json' = 'text';

  constructor(
    private readonly nowMs: () => number,
    private readonly write: (line: string) => void,
  ) {}

  /** @param node - `undefined`: from now on to standard error. */
  attach(node: RclLogger | undefined): void {
    this.#node = node;
  }

  set format(format: 'text' | 'json') {
    this.#format = format;
  }

  /** The least important level the node logs: `--log-level`, or what was set. */
  get level(): LogLevel {
    const severity = Number(this.#node?.loggerEffectiveLevel ?? severities.info);
    // `fatal` is beyond what Holdfast says.
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

  debug(event: string, fields?: LogFields): void {
    this.#log('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#log('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#log('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#log('error', event, fields);
  }

  #log(level: LogLevel, event: string, fields: LogFields = {}): void {
    const node = this.#node;
    if (node === undefined) {
      if (level !== 'debug') this.#stream(this.write)[level](event, fields);
      return;
    }
    this.#stream((line) => {
      // Time and level are rcutils' to say, and its lines end by themselves.
      const text = line.trimEnd();
      node[level](this.#format === 'json' ? text : text.replace(PREFIX, ''));
    })[level](event, fields);
  }

  #stream(write: (line: string) => void): Logger {
    return createStreamLogger({ level: 'debug', format: this.#format, nowMs: this.nowMs, write });
  }
}
