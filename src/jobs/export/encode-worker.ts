import { parentPort } from 'node:worker_threads';
import type { Batch } from '../../exporters/columns/batch.js';
import { encoderOf } from '../../exporters/encoders.js';
import type { EncodeBatch, EncodedBatch, TableSpec } from '../../exporters/format.js';
import { present } from '../../core/present.js';

/** `spec` comes with a table's first batch. */
export interface EncodeRequest {
  readonly job: number;
  readonly table: number;
  readonly spec?: TableSpec;
  readonly batch: Batch;
}

export interface ForgetRequest {
  readonly forget: number;
}

export type EncodeReply =
  | { readonly job: number; readonly encoded: EncodedBatch }
  | { readonly job: number; readonly problem: string };

const zstd = (await import('@foxglove/wasm-zstd')).default;
await zstd.isLoaded;
const ZSTD_LEVEL = 1;
/** Of the memory that small Buffers share. Node.js 26 makes it larger than `Buffer.poolSize`. */
const POOL_BYTES = Buffer.allocUnsafe(1).buffer.byteLength;
const encoders = new Map<number, EncodeBatch>();

present(parentPort).on('message', (request: EncodeRequest | ForgetRequest) => {
  if ('forget' in request) {
    encoders.delete(request.forget);
    return;
  }
  const { job, table, spec, batch } = request;
  let reply: EncodeReply;
  const buffers = new Set<ArrayBuffer>();
  try {
    let encode = encoders.get(table);
    if (encode === undefined) {
      encode = encoderOf(present(spec), (data) => zstd.compress(data, ZSTD_LEVEL));
      encoders.set(table, encode);
    }
    const encoded = encode(batch);
    for (const { bytes } of encoded.pieces) buffers.add(bytes.buffer as ArrayBuffer);
    reply = { job, encoded };
  } catch (error) {
    reply = { job, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  present(parentPort).postMessage(reply, [...buffers].filter(transferable));
});

/** Small Buffers share a pool, which must not be transferred. */
function transferable(buffer: ArrayBuffer): boolean {
  return buffer.byteLength !== POOL_BYTES;
}
