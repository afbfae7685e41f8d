/** The level of a log line. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Facts of one log line; values stay small. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line per event, never per message. `event` is a short stable phrase; the fields hold the facts. */
export interface Logger {
  /** Details for finding a fault. */
  debug(event: string, fields?: LogFields): void;
  /** Facts that a person may want to know. */
  info(event: string, fields?: LogFields): void;
  /** A fault; the work continues. */
  warn(event: string, fields?: LogFields): void;
  /** Something failed. */
  error(event: string, fields?: LogFields): void;
}

/** A logger whose methods differ in nothing but the level. */
export abstract class LevelLogger implements Logger {
  protected abstract log(level: LogLevel, event: string, fields: LogFields): void;

  debug(event: string, fields: LogFields = {}): void {
    this.log('debug', event, fields);
  }

  info(event: string, fields: LogFields = {}): void {
    this.log('info', event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.log('warn', event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.log('error', event, fields);
  }
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
