import * as fs from 'node:fs/promises';
import type { SealRequest } from './seal-request.js';
import type { SealResult } from './seal-segment.js';

/** What seals segments, one at a time. Throws the errors of {@link sealSegment}. */
export interface SegmentSealing {
  seal(request: SealRequest): Promise<SealResult>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Seals in the thread that calls it. It saves the memory of a second thread, and the caller waits while a chunk is
 * compressed. The end waits for the current segment, because nothing can stop it.
 */
export class SealHere implements SegmentSealing {
  #current: Promise<unknown> = Promise.resolve();

  seal(request: SealRequest): Promise<SealResult> {
    const result = sealNow(request);
    this.#current = result.catch(() => undefined);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current;
  }
}

async function sealNow(request: SealRequest): Promise<SealResult> {
  // Before the writer is loaded, because it keeps the functions that it finds then.
  const { useNativeCrc } = await import('./native-crc.js');
  useNativeCrc();
  const { sealSegment } = await import('./seal-segment.js');
  return sealSegment(fs, request);
}
