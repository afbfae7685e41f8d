import { dirname } from 'node:path';
import { HoldfastError } from '../../core/errors.js';
import type { ErrorCode } from '../../core/error-catalogue.js';
import { dataFolder } from '../../core/data-folder.js';
import type { DigestedManifest, Manifest } from '../../core/manifest.js';
import { SerialQueue } from '../../core/serial-queue.js';
import { ChildSessions } from '../../host/child-sessions.js';
import { RequestWorker } from '../../host/request-worker.js';
import type { MarkKeeper } from './mark-keeper.js';
import type { TransformCache, TransformSettings } from './transform-cache.js';
import type { TransformRequest } from './transform-segment.js';
import type { TransformReply } from './transform-worker.js';

/** Messages are streamed; a larger heap would be a leak, or one message that grows without end. */
const LIMITS = { heapMb: 256, youngMb: 4 };
/** How often a program may fail with a segment until the segment is parked. */
const PROGRAM_ATTEMPTS = 3;

/** Applies the rules of `sync.transform` to one segment after the other, in a thread of its own. */
export class SegmentTransformer implements AsyncDisposable {
  #settings: TransformSettings;
  #cache: TransformCache;
  readonly #marks: MarkKeeper | undefined;
  readonly #turns = new SerialQueue();
  readonly #children = new ChildSessions();
  /** How often a program has failed with a segment that is not parked, by name. */
  readonly #failures = new Map<string, number>();
  readonly #worker = new RequestWorker<TransformRequest, TransformReply>(
    new URL('./transform-worker', import.meta.url),
    LIMITS,
  );

  /** @param marks - Keeps what models mark; absent: only the changed copies have it. */
  constructor(settings: TransformSettings, cache: TransformCache, marks?: MarkKeeper) {
    this.#settings = settings;
    this.#cache = cache;
    this.#marks = marks;
  }

  /** Segments that begin from now on are changed by these rules. */
  use(settings: TransformSettings, cache: TransformCache): void {
    this.#settings = settings;
    this.#cache = cache;
  }

  /**
   * Makes the derived file of a sealed one at `target` and returns its manifest. Sinks take their turns, so that the
   * second one finds the file in the cache. Throws `TRANSFORM_FAILED`, `SEGMENT_CORRUPT` and the errors of the disk,
   * and `TRANSFORM_PROCESS_FAILED` if a program is to be tried again.
   */
  transform(
    path: string,
    manifest: Manifest,
    target: string,
    signal: AbortSignal,
  ): Promise<DigestedManifest> {
    return this.#turns.run(async () => {
      signal.throwIfAborted();
      const folder = dataFolder(dirname(dirname(path)));
      const [settings, cache] = [this.#settings, this.#cache];
      const cached = await cache.take(folder, manifest, target);
      if (cached) return cached;
      const children = this.#children.slots;
      const made = await this.#make({ path, manifest, target, ...settings, children }, signal);
      this.#failures.delete(manifest.file.name);
      const known = new Set(manifest.events?.map(({ id }) => id));
      const marked = made.events?.filter(({ id }) => !known.has(id)) ?? [];
      await this.#marks?.keep(folder.events, marked);
      await cache.keep(folder, made, target);
      return made;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker[Symbol.asyncDispose]();
    this.#children.endAll();
  }

  async #make(request: TransformRequest, signal: AbortSignal): Promise<DigestedManifest> {
    const { name } = request.manifest.file;
    let reply: TransformReply;
    try {
      reply = await this.#worker.ask(request, signal);
    } catch (cause) {
      this.#children.endAll();
      if (signal.aborted) throw cause;
      throw new HoldfastError('TRANSFORM_FAILED', `the thread that transforms ${name} died`, {
        cause,
        facts: { name },
      });
    }
    if ('manifest' in reply) return reply.manifest;
    const { code, system, message } = reply.failure;
    if (code === 'TRANSFORM_PROCESS_FAILED') throw this.#programFailed(name, message);
    if (code !== undefined) throw new HoldfastError(code as ErrorCode, message, { facts: { name } });
    throw Object.assign(new Error(message), system === undefined ? {} : { code: system });
  }

  /** A program may fail by chance, for lack of memory for example; one that always does must not be started for ever. */
  #programFailed(name: string, message: string): HoldfastError {
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    if (failures < PROGRAM_ATTEMPTS) {
      return new HoldfastError('TRANSFORM_PROCESS_FAILED', message, { facts: { name } });
    }
    this.#failures.delete(name);
    const text = `${message}, in ${failures} attempts`;
    return new HoldfastError('TRANSFORM_FAILED', text, { facts: { name } });
  }
}
