import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import type { Message } from '../../../src/core/message.js';

const readers = new Map<string, MessageReader>();

/** A CDR message by its own schema, as any other tool would read it. */
export function decode({ channel: { schema }, data }: Message): unknown {
  const reader =
    readers.get(schema.name) ??
    new MessageReader(parse(new TextDecoder().decode(schema.data), { ros2: true }));
  readers.set(schema.name, reader);
  return reader.readMessage(data);
}
