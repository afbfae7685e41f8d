import { formatTime, NS_PER_MS, type Clock } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Store, Upload } from '../core/store.js';
import type { StoreCalls } from './store-calls.js';

export interface OpenUploadPorts {
  readonly store: Store;
  readonly calls: StoreCalls;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Maximum number of a store's unfinished uploads kept in memory. */
const KEPT_MAX = 10_000;

/**
 * The store's unfinished uploads that belong to one data folder: those under the robots it records. Others
 * are never touched at any age, because another recorder owns them.
 */
export class OpenUploads {
  readonly #ports: OpenUploadPorts;
  readonly #robots = new Set<string>();

  constructor(ports: OpenUploadPorts) {
    this.#ports = ports;
  }

  /** Remembers the `robot=...` part of a key as its own. */
  addKey(key: string): void {
    this.#robots.add(robotPart(key));
  }

  /** The newest upload per own key, for a data folder that lost its records. */
  async find(signal: AbortSignal): Promise<Map<string, Upload>> {
    const newest = new Map<string, Upload & { readonly startedAt: bigint }>();
    await this.#each(signal, (upload) => {
      const known = newest.get(upload.key);
      if (!known && newest.size >= KEPT_MAX) return;
      if (!known || upload.startedAt >= known.startedAt) newest.set(upload.key, upload);
    });
    return new Map([...newest].map(([key, { uploadId }]) => [key, { key, uploadId }]));
  }

  /** Aborts own uploads that began before `ageMs` and that `isKnown` does not claim; returns how many. */
  async sweep(ageMs: number, isKnown: (upload: Upload) => boolean, signal: AbortSignal): Promise<number> {
    const { store, calls, clock, logger } = this.#ports;
    const before = clock.now() - BigInt(ageMs) * NS_PER_MS;
    const stale: Upload[] = [];
    await this.#each(signal, (upload) => {
      if (upload.startedAt < before && !isKnown(upload) && stale.length < KEPT_MAX) {
        stale.push({ key: upload.key, uploadId: upload.uploadId });
      }
    });
    for (const upload of stale) {
      if (isKnown(upload)) continue;
      await calls.call(`abort upload of ${upload.key}`, 0, signal, (within) =>
        store.abortUpload(upload, { signal: within }),
      );
      logger.info('stale upload aborted', { key: upload.key, olderThan: formatTime(before) });
    }
    return stale.length;
  }

  async #each(
    signal: AbortSignal,
    visit: (upload: Upload & { readonly startedAt: bigint }) => void,
  ): Promise<void> {
    const { store, calls, logger } = this.#ports;
    try {
      await calls.call('list unfinished uploads', 0, signal, async (within) => {
        for await (const upload of store.listUploads({ signal: within })) {
          if (this.#robots.has(robotPart(upload.key))) visit(upload);
        }
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      logger.warn('unfinished uploads cannot be listed', { error: describeError(error) });
      throw error;
    }
  }
}

function robotPart(key: string): string {
  return key.slice(0, key.indexOf('/') + 1) || key;
}
