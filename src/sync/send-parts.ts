import { createHash } from 'node:crypto';
import { crc32 } from '@node-rs/crc32';
import { isHoldfastError } from '../core/errors.js';
import type { Receipt, Store, Upload } from '../core/store.js';
import type { BandwidthLimit } from './bandwidth-limit.js';
import { Budget } from './budget.js';
import { fitsPlan, partRange, type PartPlan } from './part-plan.js';
import type { LentBuffer, PartBuffers } from './part-buffers.js';
import type { SegmentSource } from './segment-source.js';
import type { SendWindow } from './send-window.js';
import { StoreTrouble, type StoreCalls } from './store-calls.js';

export interface SendPorts {
  readonly store: Store;
  readonly calls: StoreCalls;
  readonly bandwidth: BandwidthLimit;
  readonly buffers: PartBuffers;
  /** Bytes in flight over all uploads. */
  readonly window: SendWindow;
  readonly partsPerUpload: number;
  readonly attempts: number;
  readonly gate: PartGate;
}

/** Asked whether bytes of one segment may leave now. Throws `SendingWaits`. */
export interface PartGate {
  check(bytes: number): void;
  /** Counts them as well; called at the moment when they leave. */
  take(bytes: number): Promise<void>;
}

export interface SendHooks {
  /** Before this process sends a part for the first time. */
  readonly onBegin: (partNumber: number) => void;
  readonly onSent: (bytes: number) => void;
  /** The store already had this part. */
  readonly onPresent: (bytes: number) => void;
  /** These bytes are sent again. */
  readonly onResend: (bytes: number) => void;
  /** Every part is read; the rest only waits for the store. */
  readonly onAllRead: () => void;
}

/** One upload: the content, and what is known about it. */
export interface PartsToSend {
  readonly upload: Upload;
  readonly plan: PartPlan;
  readonly file: SegmentSource;
  /** The parts in the store. */
  readonly have: readonly Receipt[];
  /** Parts up to this number were begun before. */
  readonly begun: number;
}

/**
 * Sends the missing parts of an upload and returns the receipts of all parts. It reads the file once, the
 * next part while earlier ones are in flight. A failed part is retried from memory, after asking whether it
 * arrived. Throws the first failure once nothing is in flight any more: a part that still completes need not
 * be sent again.
 */
export async function sendParts(
  ports: SendPorts,
  todo: PartsToSend,
  hooks: SendHooks,
  signal: AbortSignal,
): Promise<Receipt[]> {
  const { plan, file } = todo;
  const receipts: Receipt[] = [];
  const listed = new Map(todo.have.map((part) => [part.partNumber, part]));
  const slots = new Budget(ports.partsPerUpload);
  const sending = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const send = async (partNumber: number, buffer: LentBuffer): Promise<void> => {
    const { data } = buffer;
    try {
      const { receipt, clean } = await sendPart(ports, todo.upload, partNumber, data, hooks, signal);
      receipts[partNumber - 1] = receipt;
      hooks.onSent(data.length);
      buffer.release(clean);
    } catch (error) {
      failure ??= { error };
      buffer.release(false);
    }
  };
  try {
    for (let partNumber = 1; partNumber <= plan.count && !failure; partNumber++) {
      const buffer = await ports.buffers.take(partRange(plan, partNumber).bytes, signal);
      const { data } = buffer;
      let isSending = false;
      try {
        await file.read(data);
        const part = listed.get(partNumber);
        if (part && fitsPlan(plan, part) && holds(part, data)) {
          receipts[partNumber - 1] = part;
          hooks.onPresent(data.length);
          continue;
        }
        const freeSlot = await slots.take(1, signal);
        // A part sent meanwhile may have failed.
        if ((failure as object | undefined) !== undefined) break;
        isSending = true;
        if (partNumber <= todo.begun) hooks.onResend(data.length);
        const turn = send(partNumber, buffer).finally(() => {
          sending.delete(turn);
          freeSlot();
        });
        sending.add(turn);
      } finally {
        if (!isSending) buffer.release(true);
      }
    }
    if (!failure) {
      hooks.onAllRead();
      file.finish();
    }
  } catch (error) {
    failure ??= { error };
  }
  await Promise.all(sending);
  if (failure) throw failure.error;
  return receipts;
}

interface SentPart {
  readonly receipt: Receipt;
  /** No failed call may still use the bytes. */
  readonly clean: boolean;
}

async function sendPart(
  ports: SendPorts,
  upload: Upload,
  partNumber: number,
  data: Buffer,
  hooks: SendHooks,
  signal: AbortSignal,
): Promise<SentPart> {
  ports.gate.check(data.length);
  hooks.onBegin(partNumber);
  for (let attempt = 1; ; attempt++) {
    await ports.bandwidth.take(data.length, signal);
    try {
      const receipt = await ports.window.send(data.length, signal, () =>
        ports.calls.call(`send part ${partNumber} of ${upload.key}`, data.length, signal, async (within) => {
          await ports.gate.take(data.length);
          return ports.store.uploadPart(upload, partNumber, data, { signal: within });
        }),
      );
      return { receipt, clean: attempt === 1 };
    } catch (error) {
      // Bytes that changed in transit are sent again like bytes that did not arrive.
      const isPassing = error instanceof StoreTrouble || isHoldfastError(error, 'OBJECT_CORRUPT');
      if (!isPassing || attempt >= ports.attempts) throw error;
    }
    const arrived = await findPart(ports, upload, partNumber, data, signal);
    if (arrived) return { receipt: arrived, clean: false };
    hooks.onResend(data.length);
  }
}

// The answer may have been lost: a question costs less than sending a part twice.
async function findPart(
  ports: SendPorts,
  upload: Upload,
  partNumber: number,
  data: Buffer,
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  try {
    const listed = await ports.calls.call(`list parts of ${upload.key}`, 0, signal, (within) =>
      ports.store.listParts(upload, { signal: within }),
    );
    return listed.find((part) => part.partNumber === partNumber && holds(part, data));
  } catch (error) {
    if (error instanceof StoreTrouble) return undefined;
    if (isHoldfastError(error, 'UPLOAD_UNKNOWN') || signal.aborted) throw error;
    return undefined;
  }
}

/** Whether the store's part provably has these bytes: by CRC-32, otherwise by an ETag that is the MD5. */
export function holds(part: Receipt, data: Buffer): boolean {
  if (part.bytes !== data.length) return false;
  if (part.crc32 !== undefined) return part.crc32 === crc32(data);
  const etag = part.etag.replace(/^"|"$/g, '').toLowerCase();
  return etag === createHash('md5').update(data).digest('hex');
}
