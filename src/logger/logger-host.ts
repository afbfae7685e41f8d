import { stat } from 'node:fs';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { processMs, processOriginMs, systemTimers, wallClockMs } from '../host/system-clock.js';
import { HoldfastError } from '../core/errors.js';
import { afterDeath, defaultRestartPolicy, neverDied } from '../host/restart-policy.js';
import {
  THREAD_SHARED_BYTES,
  ThreadNumber,
  ThreadWord,
  type ChannelSpec,
  type FromThread,
  type LoggerSpec,
  type ThreadData,
  type ToThread,
} from './logger-protocol.js';
import type { Timer } from '../core/clock.js';

/** The thread's JavaScript heap: it streams, so higher use would be a leak. */
const THREAD_HEAP_MB = 256;
const THREAD_YOUNG_MB = 8;

/** A logger, as its host knows it. */
export interface HostedLogger {
  readonly spec: LoggerSpec;
  readonly exitDrainMs: number;
  readonly channels: ChannelSpec[];
  readonly onMessage: (message: FromThread) => void;
  /** Ends it as at the normal end of the process. */
  close(): Promise<unknown>;
}

/**
 * The one thread that does the work of all loggers of this process. It starts with the first logger, ends
 * with the last, and is started again when it dies. It does not keep the process alive; at its end, the
 * process waits for it for a limited time. It handles no signal: a process ends by signals as if it had no
 * logger.
 */
export class LoggerHost {
  readonly shared = new SharedArrayBuffer(THREAD_SHARED_BYTES);
  /** See {@link ThreadNumber.wallOffsetMs}; the thread updates it. */
  readonly numbers = new Float64Array(this.shared);
  restarts = 0;
  readonly #words = new Int32Array(this.shared);
  readonly #loggers = new Map<number, HostedLogger>();
  #worker: Worker | undefined;
  #isAlive = false;
  #startedAt = 0;
  #deaths = neverDied;
  #restart: Timer | undefined;
  #keepers = 0;
  #nextId = 1;
  #hooked = false;

  constructor() {
    const now = processMs();
    const sinceOrigin = processOriginMs;
    // More precise than the wall clock, but with its value at the start of the process.
    const isCurrent = Math.abs(wallClockMs() - sinceOrigin - now) < 2;
    this.numbers[ThreadNumber.wallOffsetMs] = isCurrent ? sinceOrigin : wallClockMs() + 0.5 - now;
  }

  /** How much lower the thread's priority is than the program's; 0 if the system does not allow it. */
  get niceness(): number {
    return Atomics.load(this.#words, ThreadWord.niceness);
  }

  get isWorkerAlive(): boolean {
    return this.#isAlive;
  }

  newId(): number {
    return this.#nextId++;
  }

  /** Other loggers of this process that are opening or closing. */
  find(isIt: (spec: LoggerSpec) => boolean): HostedLogger | undefined {
    return [...this.#loggers.values()].find(({ spec }) => isIt(spec));
  }

  add(logger: HostedLogger): void {
    this.#loggers.set(logger.spec.id, logger);
    this.#hookExit();
    const fresh = this.#worker === undefined && this.#restart === undefined;
    if (fresh) this.#start();
    else this.#introduce(logger);
  }

  addChannel(logger: HostedLogger, channel: ChannelSpec): void {
    this.#post({ kind: 'channel', id: logger.spec.id, channel });
  }

  askClose(id: number): void {
    this.#post({ kind: 'close', id });
  }

  /** Forgets a closed logger; with the last one, the thread ends. */
  remove(id: number): void {
    this.#loggers.delete(id);
    if (this.#loggers.size > 0) return;
    this.#restart?.cancel();
    this.#restart = undefined;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#isAlive = false;
    worker?.removeAllListeners();
    worker?.on('error', () => undefined);
    // It has nothing left to do. If a disk hangs, even its end is not awaited.
    worker?.unref();
    void worker?.terminate();
  }

  /** Keeps the process alive until the returned function is called. */
  keepAlive(): () => void {
    this.#keepers++;
    this.#worker?.ref();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      if (--this.#keepers === 0) this.#worker?.unref();
    };
  }

  /** For tests: the thread dies as if by a fault of its own. */
  async killThread(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): void {
    this.#restart = undefined;
    this.#startedAt = processMs();
    // libuv's threads start with the priority of the thread that first needs them, which must be the program.
    stat('.', () => undefined);
    const data: ThreadData = {
      shared: this.shared,
      monotonicOffsetMs: Number(process.hrtime.bigint()) / 1e6 - processMs(),
    };
    const worker = startWorker(data);
    this.#worker = worker;
    this.#isAlive = true;
    worker.on('message', (message: FromThread) => this.#loggers.get(message.id)?.onMessage(message));
    let cause: unknown;
    worker.on('error', (error) => (cause = error));
    worker.on('exit', (exitCode) => {
      if (this.#worker === worker) this.#died(cause ?? new Error(`exit code ${exitCode}`));
    });
    // After the listeners, because listening keeps the process alive too.
    if (this.#keepers === 0) worker.unref();
    for (const logger of this.#loggers.values()) this.#introduce(logger);
  }

  #died(cause: unknown): void {
    this.#worker = undefined;
    this.#isAlive = false;
    this.restarts++;
    const { state, delayMs } = afterDeath(this.#deaths, processMs() - this.#startedAt, defaultRestartPolicy);
    this.#deaths = state;
    // An ending process waits for the new thread too.
    const background = this.#keepers === 0;
    this.#restart = systemTimers.after(delayMs, () => this.#start(), { background });
    const message = `the thread of the loggers died and is started again; the queues keep their messages`;
    const { code, facts } = new HoldfastError('LOGGER_THREAD_DIED', message, { cause });
    for (const { spec, onMessage } of this.#loggers.values()) {
      onMessage({
        kind: 'problem',
        id: spec.id,
        problem: { code, message: `${message}: ${String(cause)}`, facts },
      });
    }
  }

  #introduce({ spec, channels }: HostedLogger): void {
    this.#post({ kind: 'open', logger: spec });
    for (const channel of channels) this.#post({ kind: 'channel', id: spec.id, channel });
  }

  #post(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #hookExit(): void {
    if (this.#hooked) return;
    this.#hooked = true;
    process.on('beforeExit', () => {
      for (const logger of this.#loggers.values()) void logger.close();
    });
    process.on('exit', () => this.#drainAtExit());
  }

  /** Only the thread still runs: wait for it. */
  #drainAtExit(): void {
    if (this.#loggers.size === 0 || this.#worker === undefined) return;
    const withinMs = Math.max(...[...this.#loggers.values()].map(({ exitDrainMs }) => exitDrainMs));
    if (withinMs === 0) return;
    this.#post({ kind: 'end', withinMs });
    Atomics.wait(this.#words, ThreadWord.ended, 0, withinMs);
  }
}

function startWorker(workerData: ThreadData): Worker {
  const resourceLimits = {
    maxOldGenerationSizeMb: THREAD_HEAP_MB,
    maxYoungGenerationSizeMb: THREAD_YOUNG_MB,
  };
  // Neither the host's loaders nor its arguments: it must start in the same way in any program.
  const options = { workerData, resourceLimits, name: 'holdfast-logger', execArgv: [] };
  const extension = extname(import.meta.url);
  const url = new URL(`./logger-worker${extension}`, import.meta.url);
  // When it runs from its sources (development, tests), the thread needs its own TypeScript loader.
  if (extension !== '.ts') return new Worker(url, options);
  const load = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); })`;
  return new Worker(load, { ...options, eval: true });
}

let host: LoggerHost | undefined;

/** The host of this process. */
export function loggerHost(): LoggerHost {
  return (host ??= new LoggerHost());
}
