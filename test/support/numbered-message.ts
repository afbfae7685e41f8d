import { createHash } from 'node:crypto';

/** Sizes from empty to larger than an inline batch, so that both homes of a batch are met. */
const SIZES = [0, 1, 40, 333, 1_000, 5_000, 20_000, 90_000];

/** The payload of message `number` of a channel: what it must be can be computed anywhere. */
export function payloadOf(channel: number, number: number): Buffer {
  const seed = createHash('sha256').update(`${channel}:${number}`).digest();
  const size = SIZES[(seed[0] as number) % SIZES.length] as number;
  const payload = Buffer.alloc(size);
  for (let at = 0; at < size; at += seed.length) seed.copy(payload, at);
  return payload;
}
