import { defined } from '../../src/core/defined.js';
import type { Channel, Message, Priority, QueuePolicy } from '../../src/core/message.js';
import type { ChannelRule } from '../../src/ingest/channel-queue.js';
import { DropLedger } from '../../src/ingest/drop-ledger.js';
import { IngestBuffer, type BufferLimits } from '../../src/ingest/ingest-buffer.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

export function makeChannel(topic: string, robot = 'crab'): Channel {
  return Object.freeze({
    robot,
    topic,
    encoding: 'cdr',
    schema: { name: 'std_msgs/msg/String', encoding: 'ros2msg', data: new Uint8Array(0) },
    metadata: {},
    latched: false,
  });
}

let at = 1_700_000_000_000_000_000n;

export function makeMessage(channel: Channel, size: number, sourceSequence?: number): Message {
  at += 1_000_000n;
  return {
    kind: 'message',
    channel,
    data: new Uint8Array(size),
    receivedAt: at,
    publishedAt: at,
    ...defined({ sourceSequence }),
  };
}

export interface BufferSetup {
  readonly limits?: Partial<BufferLimits>;
  readonly policy?: QueuePolicy;
  readonly queueMaxBytes?: number;
  readonly priorityOf?: (channel: Channel) => Priority;
  readonly policyOf?: (channel: Channel) => QueuePolicy;
}

export function makeBuffer(setup: BufferSetup = {}): { buffer: IngestBuffer; drops: DropLedger } {
  const drops = new DropLedger(seededBytes());
  const ruleFor = (channel: Channel): ChannelRule => ({
    priority: setup.priorityOf?.(channel) ?? 'normal',
    policy: setup.policyOf?.(channel) ?? setup.policy ?? 'drop-oldest',
    queueMaxBytes: setup.queueMaxBytes ?? 1000,
  });
  const limits = { totalMaxBytes: 10_000, maxChannels: 20_000, ...setup.limits };
  return { buffer: new IngestBuffer(limits, ruleFor, drops), drops };
}

/** Empties the buffer. */
export function drain(buffer: IngestBuffer): Message[] {
  const messages: Message[] = [];
  for (let next = buffer.shift(); next; next = buffer.shift()) messages.push(next);
  return messages;
}
