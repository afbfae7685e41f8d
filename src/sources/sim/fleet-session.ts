import { connect } from 'node:net';
import { describeError } from '../../core/errors.js';
import { channelKey, type Channel } from '../../core/message.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { deferred } from '../deferred.js';
import {
  decodeChannelList,
  decodeJson,
  decodeMessage,
  encodeAck,
  encodeChannels,
  encodeHello,
  Frame,
  FrameReader,
  type EndFrame,
  type FrameParts,
  type NumberingFrame,
  type WelcomeFrame,
} from './fleet-protocol.js';
import { toChannel } from '../../simulation/to-channel.js';

/** How long the fleet may take to close a connection that has ended. */
const CLOSE_TIMEOUT_MS = 2_000;

export interface FleetAddress {
  readonly host: string;
  readonly port: number;
}

/** State that outlives one connection. */
export interface FleetMemory {
  fleetId?: string;
  /** The same channel is the same object at every connection. */
  readonly channels: Map<string, Channel>;
}

export type SessionEnd =
  { readonly kind: 'ended' } | { readonly kind: 'lost'; readonly reason: string; readonly wasOpen: boolean };

/** One connection to a fleet process, from the hello to its end. Never rejects. */
export async function runFleetSession(
  address: FleetAddress,
  context: SourceContext,
  memory: FleetMemory,
  emit: (event: SourceEvent) => void,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const socket = connect({ ...address, noDelay: true, keepAlive: true, signal });
  const reader = new FrameReader();
  const session = new FleetSession(context, memory, emit, (bytes) => void socket.write(bytes));
  const done = deferred<SessionEnd>();
  const lost = (reason: string): void => done.resolve({ kind: 'lost', reason, wasOpen: session.isOpen });
  socket.on('connect', () => socket.write(encodeHello('listener')));
  socket.on('data', (chunk) => {
    try {
      session.receive(reader.push(chunk));
    } catch (error) {
      lost(`not understood, is this a fleet? ${describeError(error)}`);
    }
    if (session.isEnded) done.resolve({ kind: 'ended' });
    if (session.refusal !== undefined) lost(session.refusal);
  });
  socket.on('error', (error) => lost(error.message));
  socket.on('close', () => lost('connection closed'));
  try {
    return await done.promise;
  } finally {
    // Pending confirmations must still be sent; a destroyed socket would drop them.
    if (session.isEnded) socket.end().setTimeout(CLOSE_TIMEOUT_MS, () => socket.destroy());
    else socket.destroy();
  }
}

class FleetSession {
  isOpen = false;
  isEnded = false;
  refusal: string | undefined;
  readonly #context: SourceContext;
  readonly #memory: FleetMemory;
  readonly #emit: (event: SourceEvent) => void;
  readonly #write: (bytes: Uint8Array) => void;
  #channels: readonly (Channel | undefined)[] = [];
  /** Next expected number and stamp of the last message, per channel. */
  readonly #expected: number[] = [];
  readonly #lastStamp: bigint[] = [];
  #arrived = 0;

  constructor(
    context: SourceContext,
    memory: FleetMemory,
    emit: (event: SourceEvent) => void,
    write: (bytes: Uint8Array) => void,
  ) {
    this.#context = context;
    this.#memory = memory;
    this.#emit = emit;
    this.#write = write;
  }

  receive(frames: readonly FrameParts[]): void {
    // Confirmed before they are passed on: messages that this process loses in a kill count as delivered, and
    // so as lost in the kill. Only a confirmation cut off by the end of a connection can be missing, so a
    // durable number may be slightly higher than the fleet's delivered number.
    const arrived = frames.reduce((count, { kind }) => count + (kind === Frame.MESSAGE ? 1 : 0), 0);
    if (arrived > 0) this.#write(encodeAck((this.#arrived += arrived)));
    for (const { kind, body } of frames) this.#take(kind, body);
  }

  #take(kind: number, body: Uint8Array): void {
    switch (kind) {
      case Frame.MESSAGE: {
        this.#message(body);
        return;
      }
      case Frame.WELCOME: {
        this.#welcome(decodeJson(body) as WelcomeFrame);
        return;
      }
      case Frame.CHANNELS: {
        this.#announce(body);
        return;
      }
      case Frame.NUMBERING:
        for (const numbering of decodeJson(body) as readonly NumberingFrame[]) this.#numbering(numbering);
        return;
      case Frame.END:
        for (const last of decodeJson(body) as readonly EndFrame[]) this.#end(last);
        this.isEnded = true;
        return;
      case Frame.REFUSED:
        this.refusal = `refused: ${(decodeJson(body) as { reason: string }).reason}`;
        return;
      default:
        throw new RangeError(`frame of kind ${kind}`);
    }
  }

  #welcome({ fleetId }: WelcomeFrame): void {
    const { fleetId: before } = this.#memory;
    if (before !== undefined && before !== fleetId) {
      this.#context.logger.warn('a different fleet answers: its numbering starts again', { before, fleetId });
    }
    this.#memory.fleetId = fleetId;
  }

  #announce(body: Uint8Array): void {
    this.#channels = decodeChannelList(body).map((described) => {
      const channel = toChannel(described, this.#context);
      if (channel === undefined) return undefined;
      const key = channelKey(channel);
      const known = this.#memory.channels.get(key) ?? channel;
      this.#memory.channels.set(key, known);
      return known;
    });
    this.isOpen = true;
    this.#emit({ kind: 'state', state: 'open' });
    const wanted = this.#channels.flatMap((channel, i) => (channel === undefined ? [] : [i]));
    for (const i of wanted) this.#emit({ kind: 'channel', channel: this.#channels[i]! });
    this.#write(encodeChannels(wanted));
  }

  #numbering({ channel: index, delivered, next, deliveredAt, nextAt }: NumberingFrame): void {
    const channel = this.#channels[index];
    if (channel === undefined) return;
    this.#expected[index] = next;
    this.#lastStamp[index] = BigInt(nextAt);
    this.#emit({
      ...{ kind: 'numbering', channel, delivered, next, nextAt: BigInt(nextAt) },
      ...(deliveredAt === '0' ? {} : { deliveredAt: BigInt(deliveredAt) }),
    });
  }

  // A skipped number between two messages needs no event: the numbers themselves show it.
  #message(body: Uint8Array): void {
    const { channel: index, sequence, stamp, data } = decodeMessage(body);
    const channel = this.#channels[index];
    if (channel === undefined) return;
    this.#expected[index] = sequence + 1;
    this.#lastStamp[index] = stamp;
    const receivedAt = this.#context.clock.now();
    this.#emit({ kind: 'message', channel, data, receivedAt, publishedAt: stamp, sourceSequence: sequence });
  }

  /** Messages that the fleet could not send at the very end do not show in a later number. */
  #end({ channel: index, last, lastAt }: EndFrame): void {
    const channel = this.#channels[index];
    const expected = this.#expected[index];
    if (channel === undefined || expected === undefined || last < expected) return;
    const { robot, topic } = channel;
    const stamp = BigInt(lastAt);
    const from = this.#lastStamp[index] ?? stamp;
    this.#emit({
      kind: 'gap',
      gap: {
        reason: 'source_lost',
        ...{ robot, topic, count: last - expected + 1 },
        ...{ firstTime: from < stamp ? from : stamp, lastTime: stamp },
        ...{ firstSourceSequence: expected, lastSourceSequence: last, settledThrough: last },
        detail: 'the fleet did not send them: its buffer for this listener was full',
      },
    });
  }
}
