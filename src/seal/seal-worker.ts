import { readlinkSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { describeError, isHoldfastError, systemCode } from '../core/errors.js';
import { useNativeCrc } from './native-crc.js';
import type { SealResult } from './seal-segment.js';
import type { SealRequest } from './seal-request.js';

/** Niceness of this thread: if the robot has no free processor, sealing waits and recording continues. */
const NICENESS = 5;
yieldToOthers();

// Before the writer is loaded, because it keeps the functions that it finds then.
useNativeCrc();
const { sealSegment } = await import('./seal-segment.js');

/** An error as the worker sends it back. */
export interface SealFailure {
  readonly code: 'SEAL_FAILED' | 'DISK_FULL' | 'MANIFEST_INVALID';
  readonly message: string;
  readonly system: string | undefined;
}

export type SealReply = { readonly result: SealResult } | { readonly failure: SealFailure };

// Compression is synchronous; in this worker it never delays ingest.
parentPort?.on('message', (request: SealRequest) => {
  void reply(request);
});

async function reply(request: SealRequest): Promise<void> {
  let answer: SealReply;
  try {
    answer = { result: await sealSegment(fs, request) };
  } catch (error) {
    const code = isHoldfastError(error) ? (error.code as SealFailure['code']) : 'SEAL_FAILED';
    answer = { failure: { code, message: describeError(error), system: systemCode(error) } };
  }
  parentPort?.postMessage(answer);
}

/** Linux gives each thread its own priority, by its id; elsewhere sealing has the priority of the process. */
function yieldToOthers(): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICENESS);
  } catch {
    // Not Linux, or not allowed: nothing depends on it.
  }
}
