import { readdirSync } from 'node:fs';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { Subscription } from 'rxjs';
import { silentLogger, type LogFields, type Logger } from '../core/logger.js';
import type { Channel, Message } from '../core/message.js';
import type { Source, SourceContext, SourceEvent } from '../core/source.js';
import { systemClock } from '../host/system-clock.js';
import { eventually } from './waiting.js';

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields | undefined;
}

export function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: string) => (event: string, fields?: LogFields) =>
    void lines.push({ level, event, fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** `/robot1/imu` belongs to `robot1`. */
export const firstSegment = (topic: string): string => topic.split('/')[1] ?? '';

export type ProbeOptions = Partial<SourceContext> & {
  /** Receives every event when it is emitted. */
  readonly onEvent?: (event: SourceEvent, probe: Probe) => void;
};

/** One subscription to one source, with everything it emitted. */
export class Probe {
  readonly events: SourceEvent[] = [];
  completed = false;
  error: unknown = undefined;
  readonly #abort = new AbortController();
  #subscription: Subscription | undefined;
  #unsubscribed = false;

  constructor(source: Source, options: ProbeOptions = {}) {
    const { onEvent, ...context } = options;
    const events = source.open({
      clock: systemClock,
      logger: silentLogger,
      flow: { whenReady: () => undefined },
      robotOf: firstSegment,
      wanted: () => true,
      signal: this.#abort.signal,
      ...context,
    });
    this.#subscription = events.subscribe({
      next: (event) => {
        this.events.push(event);
        onEvent?.(event, this);
      },
      error: (error: unknown) => {
        this.error = error;
      },
      complete: () => {
        this.completed = true;
      },
    });
    // A source may emit before subscribe returns.
    if (this.#unsubscribed) this.#subscription.unsubscribe();
  }

  get messages(): Message[] {
    return this.events.filter((event) => event.kind === 'message');
  }

  get channels(): Channel[] {
    return this.events.flatMap((event) => (event.kind === 'channel' ? [event.channel] : []));
  }

  get ended(): boolean {
    return this.completed || this.error !== undefined;
  }

  abort(): void {
    this.#abort.abort();
  }

  unsubscribe(): void {
    this.#unsubscribed = true;
    this.#subscription?.unsubscribe();
  }

  /** Waits for the end; throws an error of the source. */
  async end(what = 'the source to end'): Promise<this> {
    await eventually(() => this.ended, what);
    if (this.error !== undefined) throw this.error as Error;
    return this;
  }
}

/** Lets the event loop run, so that pending callbacks have been called. */
export async function idle(ms = 30): Promise<void> {
  await wait(ms);
  for (let i = 0; i < 10; i++) await turn();
}

/** Handles that keep a process alive, and open file descriptors if the system reports them. */
export function openHandles(): string[] {
  const handles = process
    .getActiveResourcesInfo()
    .filter((name) => /Wrap|MessagePort|Worker|FSReq|FSEvent|StatWatcher|Timeout/.test(name));
  return [...handles, ...fileDescriptors()].sort();
}

function fileDescriptors(): string[] {
  try {
    return readdirSync('/proc/self/fd').map(() => 'fd');
  } catch {
    return [];
  }
}
