import * as fs from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { describeError, isHoldfastError, systemCode } from '../../core/errors.js';
import type { DigestedManifest } from '../../core/manifest.js';
import { keepingRoom } from '../../core/space-limits.js';
import { transformSegment, type TransformRequest } from './transform-segment.js';

/** The manifest of the derived file, or an error as it can leave the thread. */
export type TransformReply =
  | { readonly manifest: DigestedManifest }
  | {
      readonly failure: {
        readonly code: string | undefined;
        readonly system: string | undefined;
        readonly message: string;
      };
    };

// Decoding and compression are synchronous; in this thread they delay neither uploads nor the status.
parentPort?.on('message', (request: TransformRequest) => {
  void reply(request);
});

async function reply(request: TransformRequest): Promise<void> {
  let answer: TransformReply;
  try {
    answer = { manifest: await transformSegment(keepingRoom(fs), request) };
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : undefined;
    answer = { failure: { code, system: systemCode(error), message: describeError(error) } };
  }
  parentPort?.postMessage(answer);
}
