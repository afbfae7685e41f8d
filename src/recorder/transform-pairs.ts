import { CDR_HEAD_BYTES, cdrKindOf } from '../core/ros/cdr-kind.js';
import type { Message } from '../core/message.js';

export const TF_TYPE = 'tf2_msgs/msg/TFMessage';

/** Bytes of translation and rotation: seven float64. */
const POSE_BYTES = 56;
const STAMP_BYTES = 8;

/**
 * The frame pairs of a TFMessage, each as one text. `undefined` if the payload is not the plain CDR of one: it
 * is then not thinned.
 */
export function transformPairs({ data, channel }: Message): readonly string[] | undefined {
  if (channel.encoding !== 'cdr') return undefined;
  try {
    const kind = cdrKindOf(data);
    if (kind.version !== 1) return undefined;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let at = CDR_HEAD_BYTES;
    const align = (bytes: number): void => {
      at += (bytes - ((at - CDR_HEAD_BYTES) % bytes)) % bytes;
    };
    const uint32 = (): number => {
      align(4);
      const value = view.getUint32(at, kind.littleEndian);
      at += 4;
      return value;
    };
    const name = (): string => {
      const bytes = uint32();
      if (at + bytes > data.byteLength) throw new RangeError('text beyond the end');
      const text = Buffer.from(data.buffer, data.byteOffset + at, bytes).toString('latin1');
      at += bytes;
      return text;
    };
    const pairs: string[] = [];
    for (let left = uint32(); left > 0; left--) {
      align(4);
      at += STAMP_BYTES;
      const parent = name();
      pairs.push(`${parent}\0${name()}`);
      align(8);
      at += POSE_BYTES;
      if (at > data.byteLength) return undefined;
    }
    return pairs;
  } catch {
    return undefined;
  }
}
