import { crc32 } from 'node:zlib';
import type { Channel, Message } from '../../src/core/message.js';
import { INLINE_MAX_BYTES } from '../../src/wal/segment-writer.js';
import { channel, payload } from './wal-support.js';

const channels: readonly Channel[] = [
  channel('/odom'),
  channel('/camera', { robot: 'squid' }),
  channel('/robot_description', { latched: true }),
];

const made = new Map<number, Message>();

/** Message `number` of a crash test: everything about it follows from its number. */
export function crashMessage(number: number): Message {
  let one = made.get(number);
  if (!one) made.set(number, (one = make(number)));
  return one;
}

function make(number: number): Message {
  const hash = crc32(Buffer.from(`message ${number}`));
  const [kind, spread] = [hash % 100, (hash >>> 8) % 256];
  // Most lie in LevelDB in one page, some over several blocks, some in the blob.
  const size =
    kind < 70 ? spread : kind < 88 ? 5000 + spread * 17 : kind < 92 ? 40_000 + spread : 66_000 + spread;
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(number));
  const receivedAt = 1_700_000_000_000_000_000n + BigInt(number) * 1_000_000n;
  return {
    kind: 'message',
    channel: channels[number % 11 === 10 ? 2 : number % 2]!,
    data: Buffer.concat([head, payload(size, number)]),
    receivedAt,
    publishedAt: receivedAt - 1n,
    sourceSequence: number,
  };
}

/** The first number from `from` on whose message is too large for LevelDB. */
export function largeNumber(from: number): number {
  let number = from;
  while (crashMessage(number).data.byteLength <= INLINE_MAX_BYTES) number++;
  return number;
}

/** The number a payload says it is. */
export function crashNumber(data: Uint8Array): number {
  return Number(Buffer.from(data).readBigUInt64LE(0));
}
