import { readdirSync } from 'node:fs';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { Subscription } from 'rxjs';
import type { Clock } from '../../src/core/clock.js';
import { silentLogger, type LogFields, type Logger } from '../../src/core/logger.js';
import type { Channel, Message } from '../../src/core/message.js';
import type { Source, SourceContext, SourceEvent } from '../../src/core/source.js';

/** The system's time, for tests that are not about time. */
export const systemClock: Clock = {
  now: () => BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n),
  monotonic: () => process.hrtime.bigint(),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
  },
};

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
  /** Sees every event as it is emitted. */
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

  /** Waits for the end; an error of the source is thrown. */
  async end(what = 'the source to end'): Promise<this> {
    await eventually(() => this.ended, what);
    if (this.error !== undefined) throw this.error;
    return this;
  }
}

/** Polls until true; fails only when something hangs. */
export async function eventually(check: () => boolean, what: string, limitMs = 15_000): Promise<void> {
  const giveUpAt = process.hrtime.bigint() + BigInt(limitMs) * 1_000_000n;
  while (!check()) {
    if (process.hrtime.bigint() > giveUpAt) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await wait(2);
  }
}

/** Lets the event loop go round, so that whatever would happen by itself has happened. */
export async function idle(ms = 30): Promise<void> {
  await wait(ms);
  for (let i = 0; i < 10; i++) await turn();
}

/** Handles that keep a process alive, and open file descriptors where the system tells them. */
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
