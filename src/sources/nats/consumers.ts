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
import type { NatsOptions } from './nats-options.js';

/** What the session found on the server, or made there. */
export interface Binding {
  /** When the stream was created, as the server says it. */
  readonly streamCreated: string;
  readonly consumers: readonly ConsumerInfo[];
}

/** The server has the connection and not what is to be read. */
export class NotBound extends Error {
  constructor(
    readonly kind: 'stream_missing' | 'consumer_unusable',
    message: string,
  ) {
    super(message);
  }
}

const NS_PER_MS = 1_000_000;

/** The durable of each subject: the given name where there is one or none, with a digest behind it for several. */
export function durablesOf({ durable, subjects }: NatsOptions): { name: string; subject?: string }[] {
  if (subjects.length === 0) return [{ name: durable }];
  const [only] = subjects;
  if (subjects.length === 1) return [{ name: durable, subject: only! }];
  return subjects.map((subject) => ({
    name: `${durable}-${createHash('sha256').update(subject).digest('hex').slice(0, 8)}`,
    subject,
  }));
}

/**
 * Finds the stream and its durable consumers, and makes those that are missing.
 *
 * @param startSequences where a durable begins that this source has read before and that is gone: nothing of
 * what it may not have acknowledged is passed over.
 * @throws NotBound with what has to change on the server; what the connection says.
 */
export async function bindConsumers(
  manager: JetStreamManager,
  options: NatsOptions,
  startSequences: (streamCreated: string, durable: string) => number | undefined,
): Promise<Binding> {
  const { stream } = options;
  const before = await infoOf(manager, stream);
  const consumers: ConsumerInfo[] = [];
  for (const { name, subject } of durablesOf(options)) {
    const start = startSequences(String(before.created), name);
    const info = await findOrAdd(manager, stream, configOf(options, name, subject, start));
    checkConsumer(info, before, options, subject);
    consumers.push(info);
  }
  // Deleted and made again in between, its numbers are of another kind.
  const after = await infoOf(manager, stream);
  if (String(after.created) !== String(before.created))
    throw new Error(`stream ${stream} was just made again`);
  return { streamCreated: String(before.created), consumers };
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
): Promise<ConsumerInfo> {
  try {
    return await manager.consumers.info(stream, config.durable_name);
  } catch (error) {
    if (!isApiError(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
  }
  return manager.consumers.add(stream, config);
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
    ...(subject === undefined ? {} : { filter_subject: subject }),
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
  // Acknowledging takes a message out of such a stream.
  const filters = config.filter_subjects ?? (filter === '' ? stream.subjects : [filter]);
  for (const own of [deadLetter, alert]) {
    if (own !== undefined && filters.some((one) => matchesSubject(one, own))) {
      refuse(`takes ${own} out of the stream too; give subjects that leave it out`);
    }
  }
}

/** Whether a subject is one of those a pattern with `*` and `>` stands for. */
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
