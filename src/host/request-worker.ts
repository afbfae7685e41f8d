import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { onAbort } from '../core/on-abort.js';
import { SerialQueue } from '../core/serial-queue.js';

/** Bounds of the thread. */
export interface RequestWorkerLimits {
  /** JavaScript heap, in MB. */
  readonly heapMb: number;
  readonly youngMb: number;
}

/** One thread that answers one request after the other, each with one message. A dead one is replaced at the next request. */
export class RequestWorker<Request, Reply> implements AsyncDisposable {
  readonly #url: URL;
  readonly #limits: RequestWorkerLimits;
  readonly #turns = new SerialQueue();
  #worker: Worker | undefined;

  /** @param url - Of the module that the thread runs, without its extension. */
  constructor(url: URL, limits: RequestWorkerLimits) {
    this.#url = url;
    this.#limits = limits;
  }

  /** Rejects if the thread dies, or with the reason of the signal, which ends the thread. */
  ask(request: Request, signal: AbortSignal): Promise<Reply> {
    return this.#turns.run(() => this.#ask(request, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #ask(request: Request, signal: AbortSignal): Promise<Reply> {
    signal.throwIfAborted();
    const worker = (this.#worker ??= this.#start());
    let settle = (): void => undefined;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        const died = (cause: unknown): void => {
          this.#worker = undefined;
          reject(cause instanceof Error ? cause : new Error(String(cause)));
        };
        const onExit = (code: number): void => died(new Error(`the thread ended with exit code ${code}`));
        const unlisten = onAbort(signal, () => {
          void worker.terminate();
          died(signal.reason);
        });
        settle = () => {
          unlisten();
          worker.off('message', resolve).off('error', died).off('exit', onExit);
          worker.unref();
        };
        worker.on('message', resolve).on('error', died).on('exit', onExit);
        worker.ref();
        worker.postMessage(request);
      });
    } finally {
      settle();
    }
  }

  #start(): Worker {
    const resourceLimits = {
      maxOldGenerationSizeMb: this.#limits.heapMb,
      maxYoungGenerationSizeMb: this.#limits.youngMb,
    };
    const extension = extname(import.meta.url);
    const { href } = new URL(`${this.#url.href}${extension}`);
    // When it runs from its sources (development, tests), the worker needs its own TypeScript loader.
    const worker =
      extension === '.ts'
        ? new Worker(
            `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(href)}); })`,
            { eval: true, resourceLimits },
          )
        : new Worker(new URL(href), { resourceLimits });
    worker.unref();
    // One that dies between two requests is replaced at the next.
    const forget = (): void => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    worker.on('error', forget).on('exit', forget);
    return worker;
  }
}
