import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.js';
import { afterDeath, defaultRestartPolicy, neverDied } from '../supervise/restart-policy.js';
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

/** The thread's JavaScript heap: it streams, so more would be a leak. */
const THREAD_HEAP_MB = 256;
const THREAD_YOUNG_MB = 8;

/** A logger, as its host knows it. */
export interface HostedLogger {
  readonly spec: LoggerSpec;
  readonly exitDrainMs: number;
  readonly channels: ChannelSpec[];
  hear(message: FromThread): void;
  /** Ends it where the process would end by itself now. */
  close(): Promise<unknown>;
}

/**
 * The one thread that does the work of all loggers of this process: started with the first, ended with the last,
 * started again when it dies. It keeps no process alive; a process that ends waits for it, bounded in time.
 * No signal is handled: a process ends by them as if there were no logger.
 */
export class LoggerHost {
  readonly shared = new SharedArrayBuffer(THREAD_SHARED_BYTES);
  /** See {@link ThreadNumber.wallOffsetMs}; the thread keeps it. */
  readonly numbers = new Float64Array(this.shared);
  restarts = 0;
  private readonly words = new Int32Array(this.shared);
  private readonly loggers = new Map<number, HostedLogger>();
  private worker: Worker | undefined;
  private isAlive = false;
  private startedAt = 0;
  private deaths = neverDied;
  private restart: NodeJS.Timeout | undefined;
  private keepers = 0;
  private nextId = 1;
  private hooked = false;

  constructor() {
    const now = performance.now();
    const sinceOrigin = performance.timeOrigin;
    // Finer than Date.now(), but as it was when the process began.
    const isCurrent = Math.abs(Date.now() - sinceOrigin - now) < 2;
    this.numbers[ThreadNumber.wallOffsetMs] = isCurrent ? sinceOrigin : Date.now() + 0.5 - now;
  }

  get isWorkerAlive(): boolean {
    return this.isAlive;
  }

  newId(): number {
    return this.nextId++;
  }

  /** Others of this process, open or closing. */
  find(isIt: (spec: LoggerSpec) => boolean): HostedLogger | undefined {
    return [...this.loggers.values()].find(({ spec }) => isIt(spec));
  }

  add(logger: HostedLogger): void {
    this.loggers.set(logger.spec.id, logger);
    this.hookExit();
    const fresh = this.worker === undefined && this.restart === undefined;
    if (fresh) this.start();
    else this.introduce(logger);
  }

  addChannel(logger: HostedLogger, channel: ChannelSpec): void {
    this.post({ kind: 'channel', id: logger.spec.id, channel });
  }

  askClose(id: number): void {
    this.post({ kind: 'close', id });
  }

  /** Forgets a logger that was closed; with the last one the thread ends. */
  remove(id: number): void {
    this.loggers.delete(id);
    if (this.loggers.size > 0) return;
    clearTimeout(this.restart);
    this.restart = undefined;
    const { worker } = this;
    this.worker = undefined;
    this.isAlive = false;
    worker?.removeAllListeners();
    worker?.on('error', () => undefined);
    // It has nothing left to do; where a disk hangs, not even its end is waited for.
    worker?.unref();
    void worker?.terminate();
  }

  /** Keeps the process alive until the returned function is called. */
  keepAlive(): () => void {
    this.keepers++;
    this.worker?.ref();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      if (--this.keepers === 0) this.worker?.unref();
    };
  }

  /** For tests: the thread dies as it would by a fault of its own. */
  async killThread(): Promise<void> {
    await this.worker?.terminate();
  }

  private start(): void {
    this.restart = undefined;
    this.startedAt = performance.now();
    const data: ThreadData = {
      shared: this.shared,
      monotonicOffsetMs: Number(process.hrtime.bigint()) / 1e6 - performance.now(),
    };
    const worker = startWorker(data);
    this.worker = worker;
    this.isAlive = true;
    worker.on('message', (message: FromThread) => this.loggers.get(message.id)?.hear(message));
    let cause: unknown;
    worker.on('error', (error) => (cause = error));
    worker.on('exit', (exitCode) => {
      if (this.worker === worker) this.died(cause ?? new Error(`exit code ${exitCode}`));
    });
    // After the listeners, since listening holds the process too.
    if (this.keepers === 0) worker.unref();
    for (const logger of this.loggers.values()) this.introduce(logger);
  }

  private died(cause: unknown): void {
    this.worker = undefined;
    this.isAlive = false;
    this.restarts++;
    const { state, delayMs } = afterDeath(
      this.deaths,
      performance.now() - this.startedAt,
      defaultRestartPolicy,
    );
    this.deaths = state;
    // A process that is about to end waits for the new thread too.
    this.restart = setTimeout(() => this.start(), delayMs);
    if (this.keepers === 0) this.restart.unref();
    const message = `the thread of the loggers died and is started again; what is in the queues is kept`;
    const { code, facts } = new HoldfastError('LOGGER_THREAD_DIED', message, { cause });
    for (const { spec, hear } of this.loggers.values()) {
      hear({
        kind: 'problem',
        id: spec.id,
        problem: { code, message: `${message}: ${String(cause)}`, facts },
      });
    }
  }

  private introduce({ spec, channels }: HostedLogger): void {
    this.post({ kind: 'open', logger: spec });
    for (const channel of channels) this.post({ kind: 'channel', id: spec.id, channel });
  }

  private post(message: ToThread): void {
    this.worker?.postMessage(message);
  }

  private hookExit(): void {
    if (this.hooked) return;
    this.hooked = true;
    process.on('beforeExit', () => {
      for (const logger of this.loggers.values()) void logger.close();
    });
    process.on('exit', () => this.drainAtExit());
  }

  /** Nothing runs any more but the thread: wait for it. */
  private drainAtExit(): void {
    if (this.loggers.size === 0 || this.worker === undefined) return;
    const withinMs = Math.max(...[...this.loggers.values()].map(({ exitDrainMs }) => exitDrainMs));
    if (withinMs === 0) return;
    this.post({ kind: 'end', withinMs });
    Atomics.wait(this.words, ThreadWord.ended, 0, withinMs);
  }
}

function startWorker(workerData: ThreadData): Worker {
  const resourceLimits = {
    maxOldGenerationSizeMb: THREAD_HEAP_MB,
    maxYoungGenerationSizeMb: THREAD_YOUNG_MB,
  };
  // Neither the host's loaders nor its arguments: it must start the same in any program.
  const options = { workerData, resourceLimits, name: 'holdfast-logger', execArgv: [] };
  const extension = extname(import.meta.url);
  const url = new URL(`./logger-worker${extension}`, import.meta.url);
  // Run from its sources (development, tests), the thread needs the TypeScript loader of its own.
  if (extension !== '.ts') return new Worker(url, options);
  const load = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); })`;
  return new Worker(load, { ...options, eval: true });
}

let host: LoggerHost | undefined;

/** The host of this process. */
export function loggerHost(): LoggerHost {
  return (host ??= new LoggerHost());
}
