import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../core/errors.js';
import type { SealResult } from './seal-segment.js';
import type { SegmentSealing } from './seal-here.js';
import type { SealRequest } from './seal-request.js';
import type { SealReply } from './seal-worker.js';

/** The worker's JavaScript heap. Sealing streams, so higher use would be a leak. */
export const WORKER_HEAP_MB = 192;
/** V8's default lets 48 MB of dead chunks accumulate before it collects. */
const WORKER_YOUNG_MB = 4;

/** Seals in one worker thread, one segment at a time; a dead worker is replaced at the next call. */
export class SealWorker implements SegmentSealing {
  #worker: Worker | undefined;

  readonly #heapMb: number;

  /** @param heapMb - The worker's JavaScript heap, in MB. */
  constructor(heapMb = WORKER_HEAP_MB) {
    this.#heapMb = heapMb;
  }

  /** Starts the thread now. Its code takes a third of a second to load, which the first segment need not wait for. */
  warm(): void {
    this.#worker ??= this.#start();
  }

  /** Throws the errors of {@link sealSegment}, and `SEAL_FAILED` if the worker dies. */
  seal(request: SealRequest): Promise<SealResult> {
    const worker = (this.#worker ??= this.#start());
    return new Promise<SealResult>((resolve, reject) => {
      worker.ref();
      const settle = (): void => {
        worker.unref();
        worker.off('message', onMessage);
        worker.off('error', onError);
        worker.off('exit', onExit);
      };
      const onMessage = (reply: SealReply): void => {
        settle();
        if ('result' in reply) resolve(reply.result);
        else
          reject(
            new HoldfastError(reply.failure.code, reply.failure.message, { facts: { ...reply.failure } }),
          );
      };
      const onError = (cause: unknown): void => {
        settle();
        this.#worker = undefined;
        reject(new HoldfastError('SEAL_FAILED', `the seal worker died on segment ${request.id}`, { cause }));
      };
      const onExit = (exitCode: number): void => onError(new Error(`exit code ${exitCode}`));
      worker.on('message', onMessage);
      worker.on('error', onError);
      worker.on('exit', onExit);
      worker.postMessage(request);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(): Worker {
    const resourceLimits = {
      maxOldGenerationSizeMb: this.#heapMb,
      maxYoungGenerationSizeMb: WORKER_YOUNG_MB,
    };
    const extension = extname(import.meta.url);
    const url = new URL(`./seal-worker${extension}`, import.meta.url);
    // When it runs from its sources (development, tests), the worker needs its own TypeScript loader.
    const worker =
      extension === '.ts'
        ? new Worker(loadTypeScript(url), { eval: true, resourceLimits })
        : new Worker(url, { resourceLimits });
    worker.unref();
    return worker;
  }
}

function loadTypeScript(url: URL): string {
  return `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); })`;
}
