export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Facts of one log line; values stay small. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line per event, never per message. `event` is a short stable phrase; the facts go into fields. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
