import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Clock } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import { isAborted } from '../core/is-aborted.js';
import { interfaceSignature, membershipOf, openUdpSocket } from '../sources/udp/udp-socket.js';

export interface RadioOptions {
  readonly group: string;
  readonly port: number;
  readonly family: 'udp4' | 'udp6';
  readonly iface: string | undefined;
  readonly hops: number;
}

export interface RadioEvents {
  readonly onDatagram: (bytes: Uint8Array, from: RemoteInfo) => void;
  readonly onState: (state: 'open' | 'waiting', reason?: string) => void;
  /** Called about once a second while open. */
  readonly onTick: () => void;
}

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
const TICK_MS = 1_000;
const BUFFER_BYTES = 1024 * 1024;
/** Maximum datagrams in transit; further ones are not sent. */
const MAX_ON_THEIR_WAY = 64;

/**
 * Sends to a multicast group and receives from it. If the network vanishes, it opens and joins again, for
 * ever, until it is closed.
 */
export class MulticastRadio {
  readonly #options: RadioOptions;
  readonly #clock: Clock;
  readonly #events: RadioEvents;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #out: Socket | undefined;
  #onTheirWay = 0;

  constructor(options: RadioOptions, clock: Clock, events: RadioEvents) {
    this.#options = options;
    this.#clock = clock;
    this.#events = events;
    this.#running = this.#run();
  }

  /** Passes a datagram to the network; false if that is not possible now. `done` receives the result. */
  send(bytes: Uint8Array, done: (error: Error | null) => void): boolean {
    const { group, port } = this.#options;
    if (this.#out === undefined || this.#onTheirWay >= MAX_ON_THEIR_WAY) return false;
    this.#onTheirWay++;
    this.#out.send(bytes, port, group, (error) => {
      this.#onTheirWay--;
      done(error);
    });
    return true;
  }

  /** Ends both directions; idempotent. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    let backoffMs = FIRST_BACKOFF_MS;
    while (!signal.aborted) {
      const reason = await this.#session(() => (backoffMs = FIRST_BACKOFF_MS)).catch(describeError);
      if (isAborted(signal)) return;
      this.#events.onState('waiting', reason);
      await this.#clock.sleep(backoffMs, signal).catch(() => undefined);
      backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
    }
  }

  /** From opening both sockets to their end; returns why they ended. */
  async #session(onOpen: () => void): Promise<string> {
    const { group, port, family, iface } = this.#options;
    const signature = interfaceSignature(iface);
    const place = { address: group, port, family, iface, isGroup: true, bufferBytes: BUFFER_BYTES };
    const { signal } = this.#end;
    const received = (bytes: Uint8Array, from: RemoteInfo): void => {
      if (!signal.aborted) this.#events.onDatagram(bytes, from);
    };
    const socket = await openUdpSocket(place, received);
    let out: Socket | undefined;
    try {
      out = await openSender(this.#options);
      const failed = Promise.race([failureOf(socket), failureOf(out)]);
      this.#out = out;
      onOpen();
      this.#events.onState('open');
      return await Promise.race([failed, this.#watch(signature)]);
    } finally {
      this.#out = undefined;
      socket.removeAllListeners('message');
      socket.close();
      out?.close();
    }
  }

  async #watch(signature: string): Promise<string> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      await this.#clock.sleep(TICK_MS, signal).catch(() => undefined);
      if (isAborted(signal)) break;
      this.#events.onTick();
      if (interfaceSignature(this.#options.iface) !== signature) return 'the network interfaces changed';
    }
    return 'closed';
  }
}

async function openSender({ family, iface, hops }: RadioOptions): Promise<Socket> {
  const socket = createSocket(family);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    socket.setMulticastTTL(hops);
    // Vehicles on one machine receive each other.
    socket.setMulticastLoopback(true);
    if (iface !== undefined) socket.setMulticastInterface(membershipOf(iface, family));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

function failureOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.on('error', (error) => resolve(error.message)));
}
