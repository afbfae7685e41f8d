import { createHash } from 'node:crypto';
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import { defined } from '../../core/defined.js';
import { present } from '../../core/present.js';
import type { BoundConsumer } from './discard-watch.js';
import type { NatsOptions } from './nats-options.js';

/** What the session found on the server, or created there. */
export interface Binding {
  /** When the stream was created, as the server states it. */
  readonly streamCreated: string;
  readonly consumers: readonly BoundConsumer[];
}

/** The server accepts the connection but does not have what the source should read. */
export class NotBound extends Error {
  constructor(
    readonly kind: 'stream_missing' | 'consumer_unusable',
    message: string,
  ) {
    super(message);
  }
}

const NS_PER_MS = 1_000_000;

/** The durable of each subject: the given name for one subject or none, with a digest after it for several. */
export function durablesOf({ durable, subjects }: NatsOptions): { name: string; subject?: string }[] {
  if (subjects.length === 0) return [{ name: durable }];
  const [only] = subjects;
  if (subjects.length === 1) return [{ name: durable, subject: present(only) }];
  return subjects.map((subject) => ({
    name: `${durable}-${createHash('sha256').update(subject).digest('hex').slice(0, 8)}`,
    subject,
  }));
}

/**
 * Finds the stream and its durable consumers, and creates the missing ones.
 *
 * @param startSequences where to start a durable that this source has read before and that is gone, so that
 * no message without an acknowledgement is skipped.
 * @throws NotBound with what has to change on the server; the errors of the connection.
 */
export async function bindConsumers(
  manager: JetStreamManager,
  options: NatsOptions,
  startSequences: (streamCreated: string, durable: string) => number | undefined,
): Promise<Binding> {
  const { stream } = options;
  const before = await infoOf(manager, stream);
  const consumers: Omit<BoundConsumer, 'streamFirst'>[] = [];
  const made: string[] = [];
  for (const { name, subject } of durablesOf(options)) {
    const start = startSequences(before.created, name);
    const { info, isNew } = await findOrAdd(manager, stream, configOf(options, name, subject, start));
    checkConsumer(info, before, options, subject);
    if (isNew) made.push(name);
    consumers.push({ info, beganBehind: isNew && start !== undefined ? start - 1 : undefined });
  }
  // If it was deleted and created again, its numbers belong to another numbering.
  const after = await infoOf(manager, stream);
  if (after.created !== before.created) {
    // A durable that was created meanwhile begins at a number of the old stream, and would silently skip
    // messages.
    for (const name of made) await manager.consumers.delete(stream, name);
    throw new Error(`stream ${stream} was just made again`);
  }
  const streamFirst = after.state.first_seq;
  return {
    streamCreated: before.created,
    consumers: consumers.map((consumer) => ({ ...consumer, streamFirst })),
  };
}

async function infoOf(manager: JetStreamManager, stream: string): Promise<StreamInfo> {
  try {
    return await manager.streams.info(stream);
  } catch (error) {
    if (!isApiError(error, JetStreamApiCodes.StreamNotFound)) throw error;
    throw new NotBound('stream_missing', `the server has no stream ${stream}`);
  }
}

async function findOrAdd(
  manager: JetStreamManager,
  stream: string,
  config: Partial<ConsumerConfig> & { durable_name: string },
): Promise<{ info: ConsumerInfo; isNew: boolean }> {
  try {
    return { info: await manager.consumers.info(stream, config.durable_name), isNew: false };
  } catch (error) {
    if (!isApiError(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
  }
  return { info: await manager.consumers.add(stream, config), isNew: true };
}

function configOf(
  options: NatsOptions,
  durable_name: string,
  subject: string | undefined,
  startSequence: number | undefined,
): Partial<ConsumerConfig> & { durable_name: string } {
  return {
    durable_name,
    description: 'Holdfast recorders; several may share it',
    ack_policy: AckPolicy.Explicit,
    ack_wait: options.ackWaitMs * NS_PER_MS,
    max_ack_pending: options.maxAckPending,
    max_deliver: -1,
    ...(startSequence === undefined
      ? { deliver_policy: options.deliver === 'new' ? DeliverPolicy.New : DeliverPolicy.All }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: startSequence }),
    ...defined({ filter_subject: subject }),
  };
}

/** Refuses a consumer whose messages would be lost, or acknowledged before they are recorded. */
function checkConsumer(
  { name, config }: ConsumerInfo,
  { config: stream }: StreamInfo,
  { deadLetter, alert }: NatsOptions,
  subject: string | undefined,
): void {
  const refuse = (what: string): never => {
    throw new NotBound('consumer_unusable', `durable ${name} of stream ${stream.name} ${what}`);
  };
  if (config.deliver_subject) refuse('is a push consumer; a pull consumer is needed');
  if (config.ack_policy !== AckPolicy.Explicit)
    refuse(`has ack policy ${config.ack_policy}; it has to be explicit`);
  if ((config.max_deliver ?? -1) > 0) refuse(`gives a message up after ${config.max_deliver} deliveries`);
  const filter = config.filter_subject ?? '';
  if (subject !== undefined && filter !== subject) refuse(`filters "${filter}", not "${subject}"`);
  if (stream.retention === RetentionPolicy.Limits) return;
  // An acknowledgement removes a message from such a stream.
  const filters = config.filter_subjects ?? (filter === '' ? stream.subjects : [filter]);
  for (const own of [deadLetter, alert]) {
    if (own !== undefined && filters.some((one) => matchesSubject(one, own))) {
      refuse(`takes ${own} out of the stream too; give subjects that leave it out`);
    }
  }
}

/** Whether a subject matches a pattern with `*` and `>`. */
export function matchesSubject(pattern: string, subject: string): boolean {
  const want = pattern.split('.');
  const have = subject.split('.');
  for (const [index, token] of want.entries()) {
    if (token === '>') return have.length > index;
    if (have[index] === undefined || (token !== '*' && token !== have[index])) return false;
  }
  return want.length === have.length;
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
