import type { McapMessage } from './block.js';
import { zstdLoaded } from './decompress.js';
import { ZSTD_MAGIC, zstdFrames } from './frames.js';
import { RecordError } from './records.js';
import { present } from '../present.js';

/**
 * The message with its original payload. With `compression_mode: MESSAGE` rosbag2 makes each payload a zstd
 * frame and says so only in metadata.yaml. A CDR payload never begins like a frame, because its first byte is
 * 0.
 *
 * `loadDecompressors` must have resolved.
 *
 * @param maxBytes maximum size of a decompressed payload
 * @throws RecordError if it does not decompress
 */
export function unpacked(message: McapMessage, maxBytes: number): McapMessage {
  const { channel, data } = message;
  if (data[0] !== (ZSTD_MAGIC & 0xff) || channel.encoding !== 'cdr' || data.byteLength < 4) return message;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (view.getUint32(0, true) !== ZSTD_MAGIC) return message;
  try {
    const frames = zstdFrames(data);
    const bytes = frames.reduce((sum, { content, bound }) => sum + (content ?? bound), 0);
    if (bytes > maxBytes) throw new Error(`${bytes} bytes, allowed: ${maxBytes}`);
    const packed = data.subarray(0, present(frames.at(-1)).to);
    const plain = bytes === 0 ? new Uint8Array(0) : zstdLoaded()(packed, bytes);
    return { ...message, data: plain, wasCompressed: true };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RecordError(`does not decompress (zstd: ${why})`, { cause });
  }
}
