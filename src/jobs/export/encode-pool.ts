import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.js';
import type { Batch } from '../../exporters/columns/batch.js';
import type { EncodedBatch, TableSpec } from '../../exporters/format.js';
import type { EncodeReply, EncodeRequest } from './encode-worker.js';

/** JavaScript heap of a worker; batches lie outside of it. */
const WORKER_HEAP_MB = 256;
const WORKER_YOUNG_MB = 4;

interface Job {
  readonly resolve: (encoded: EncodedBatch) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane {
  readonly worker: Worker;
  readonly jobs: Map<number, Job>;
  readonly tables: Set<number>;
}

/** Worker threads that encode and compress batches while the next ones are read. */
export class EncodePool implements AsyncDisposable {
  readonly #lanes: Lane[] = [];
  #jobs = 0;
  #tables = 0;
  #waiting: (() => void)[] = [];
  #inFlight = 0;

  /**
   * @param workers number of threads; the file order is the same for any number
   * @param maxInFlight batches handed over and not yet returned, which bounds the pool's memory
   */
  constructor(
    readonly workers: number,
    readonly maxInFlight: number = workers + 1,
  ) {}

  /** A number for a table that will be encoded. */
  newTable(): number {
    return this.#tables++;
  }

  /**
   * Waits for a free place, hands the batch over (it must not be used any more), and returns the promise of
   * its encoding.
   */
  async submit(
    table: number,
    spec: TableSpec,
    batch: Batch,
  ): Promise<{ readonly encoded: Promise<EncodedBatch> }> {
    while (this.#inFlight >= this.maxInFlight) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#inFlight++;
    const lane = this.#lane();
    const job = this.#jobs++;
    const encoded = new Promise<EncodedBatch>((resolve, reject) => lane.jobs.set(job, { resolve, reject }));
    // The file awaits it later; until then a failure must not count as unhandled.
    encoded.catch(() => {});
    const request: EncodeRequest = { job, table, batch, ...(lane.tables.has(table) ? {} : { spec }) };
    lane.tables.add(table);
    const buffers = new Set<ArrayBuffer>();
    for (const node of batch.nodes) {
      for (const array of [node.values, node.offsets, node.data, node.valid]) {
        if (array !== undefined) buffers.add(array.buffer as ArrayBuffer);
      }
    }
    lane.worker.postMessage(request, [...buffers]);
    return { encoded };
  }

  /** Call it when the pool's output has been written; only then there is room again. */
  release(): void {
    this.#inFlight--;
    this.#waiting.shift()?.();
  }

  forget(table: number): void {
    for (const lane of this.#lanes) {
      if (lane.tables.delete(table)) lane.worker.postMessage({ forget: table });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.splice(0).map(({ worker }) => worker.terminate()));
  }

  /** The lane with the least work. */
  #lane(): Lane {
    const idle = this.#lanes.find(({ jobs }) => jobs.size === 0);
    if (idle !== undefined) return idle;
    if (this.#lanes.length < this.workers) return this.#start();
    return this.#lanes.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a));
  }

  #start(): Lane {
    const worker = startWorker();
    const lane: Lane = { worker, jobs: new Map(), tables: new Set() };
    const fail = (cause: unknown): void => {
      const error = new HoldfastError('INTERNAL', 'an export worker died', { cause });
      for (const { reject } of lane.jobs.values()) reject(error);
      lane.jobs.clear();
      const at = this.#lanes.indexOf(lane);
      if (at >= 0) this.#lanes.splice(at, 1);
    };
    worker.on('message', (reply: EncodeReply) => {
      const job = lane.jobs.get(reply.job);
      lane.jobs.delete(reply.job);
      if ('encoded' in reply) job?.resolve(reply.encoded);
      else job?.reject(new HoldfastError('INTERNAL', `encoding failed: ${reply.problem}`));
    });
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`exit code ${code}`)));
    this.#lanes.push(lane);
    return lane;
  }
}

function startWorker(): Worker {
  const resourceLimits = {
    maxOldGenerationSizeMb: WORKER_HEAP_MB,
    maxYoungGenerationSizeMb: WORKER_YOUNG_MB,
  };
  const extension = extname(import.meta.url);
  const url = new URL(`./encode-worker${extension}`, import.meta.url);
  // When it runs from its sources (development, tests), the worker needs its own TypeScript loader.
  if (extension !== '.ts') return new Worker(url, { resourceLimits });
  const code = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); })`;
  return new Worker(code, { eval: true, resourceLimits });
}
