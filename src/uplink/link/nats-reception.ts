import { jetstream, jetstreamManager, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { NatsLink } from './nats-link.js';
import { readOpenRequest, writeOpen, type OpenAnswer } from './nats-open.js';
import type { NatsConnection } from './nats-place.js';
import {
  GROUND_QUEUE,
  readUpSubject,
  STREAM_SUBJECTS,
  subjectToken,
  UPLINK_STREAM,
  uplinkSubjects,
} from './nats-subjects.js';
import type { GroundReception } from './uplink-transport.js';

export interface NatsReceptionPorts {
  readonly nats: NatsConnection;
  /** Names this process among the equal ones: eight hexadecimal digits. */
  readonly worker: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Robots at once. */
const MAX_LINKS = 2_000;
/** Messages of robots are kept for so long for a process that is slow. */
const KEEP_NS = 60_000_000_000;
const STREAM_MAX_BYTES = 256 * 1024 * 1024;
/** A server that forgot the consumer, by a restart, is noticed within this time. */
const REQUEST_MS = 4_000;
/** Requested from the server ahead. */
const MAX_REQUESTED = 1_000;

interface Open {
  readonly robot: string;
  readonly link: NatsLink;
}

/**
 * The ground's end on NATS. Any number of processes share the robots: the one that answers a robot has it until
 * either ends. Each reads only the messages of its own robots from the stream, in their order.
 */
export class NatsReception implements AsyncDisposable {
  readonly #reception: GroundReception;
  readonly #ports: NatsReceptionPorts;
  readonly #links = new Map<string, Open>();
  #messages: ConsumerMessages | undefined;
  #openings: Subscription | undefined;
  #isClosed = false;
  /** Requests without a valid token. */
  refused = 0;

  private constructor(reception: GroundReception, ports: NatsReceptionPorts) {
    this.#reception = reception;
    this.#ports = ports;
  }

  /** Creates the stream if it is missing, and accepts robots. Rejects with an error of the library. */
  static async open(reception: GroundReception, ports: NatsReceptionPorts): Promise<NatsReception> {
    const opened = new NatsReception(reception, ports);
    await opened.#start();
    return opened;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Ends at once. It tells the robots of this process that it is gone. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { nats, worker } = this.#ports;
    this.#openings?.unsubscribe();
    this.#endAll('the ground has ended');
    if (!nats.isClosed()) nats.publish(uplinkSubjects.ended(worker));
    await this.#messages?.close().catch(() => undefined);
  }

  async #start(): Promise<void> {
    const { nats, worker } = this.#ports;
    const manager = await jetstreamManager(nats);
    await manager.streams.info(UPLINK_STREAM).catch(async () => {
      await manager.streams.add({
        ...{ name: UPLINK_STREAM, subjects: [STREAM_SUBJECTS], max_age: KEEP_NS },
        max_bytes: STREAM_MAX_BYTES,
      });
    });
    const filter = uplinkSubjects.up('*', worker, '*');
    const consumer = await jetstream(nats).consumers.get(UPLINK_STREAM, { filter_subjects: filter });
    this.#messages = await consumer.consume({
      ...{ max_messages: MAX_REQUESTED, expires: REQUEST_MS },
      callback: (message: JsMsg) => this.#take(message),
    });
    this.#openings = nats.subscribe(uplinkSubjects.open('*'), {
      queue: GROUND_QUEUE,
      callback: (error, message) => {
        if (error === null) void this.#answer(message);
      },
    });
    void this.#watch();
    await nats.flush();
  }

  #take(message: JsMsg): void {
    const { robot, link } = readUpSubject(message.subject);
    const open = this.#links.get(link);
    // The server may let a robot send only under its own name.
    if (open?.robot === robot) open.link.received(message);
  }

  async #answer(message: Msg): Promise<void> {
    let answer: OpenAnswer;
    try {
      answer = await this.#admit(message);
    } catch (error) {
      this.#ports.logger.warn('a robot could not connect', { error: describeError(error) });
      answer = { kind: 'unavailable', reason: 'the ground cannot look up tokens' };
    }
    if (answer.kind === 'refused') this.refused++;
    if (!this.#ports.nats.isClosed()) message.respond(writeOpen(answer));
  }

  async #admit({ subject, data }: Msg): Promise<OpenAnswer> {
    const refused: OpenAnswer = { kind: 'refused', reason: 'the token is not valid' };
    const request = readOpenRequest(data);
    if (request === undefined) return refused;
    const robot = await this.#reception.admit(request.token);
    if (robot === undefined || uplinkSubjects.open(subjectToken(robot)) !== subject) return refused;
    if (this.#isClosed) return { kind: 'unavailable', reason: 'the ground ends' };
    if (this.#links.size >= MAX_LINKS || this.#links.has(request.link))
      return { kind: 'unavailable', reason: 'too many robots' };
    this.#accept(robot, request.link);
    return { kind: 'accepted', worker: this.#ports.worker };
  }

  #accept(robot: string, id: string): void {
    const { nats, clock } = this.#ports;
    const name = subjectToken(robot);
    const down = uplinkSubjects.down(name, id);
    const link = new NatsLink({
      ...{ clock, release: () => void this.#links.delete(id) },
      publish: (bytes, head) => nats.publish(down, bytes, head === undefined ? {} : { headers: head }),
    });
    this.#links.set(id, { robot: name, link });
    link.listen(this.#reception.accept(robot, link));
  }

  /** Robots connect again after an outage of NATS; what they had before is over. */
  async #watch(): Promise<void> {
    for await (const { type } of this.#ports.nats.status())
      if (type === 'disconnect') this.#endAll('NATS is out of reach');
  }

  #endAll(reason: string): void {
    for (const { link } of [...this.#links.values()]) link.end(reason);
  }
}
