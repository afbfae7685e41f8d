import wsProtocol, { type Channel, type Service } from '@foxglove/ws-protocol';
import { parse as parseDefinition } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import WebSocket from 'ws';
import { present } from '../../../src/core/present.js';

const { FoxgloveClient } = wsProtocol;

/** What Foxglove does with a connection, as far as a layout needs it: channels, services, and decoded messages. */
export class FoxgloveViewer implements Disposable {
  readonly channels = new Map<string, Channel>();
  readonly services = new Map<string, Service>();
  readonly #socket: WebSocket;
  readonly #client: InstanceType<typeof FoxgloveClient>;
  readonly #topics = new Map<number, string>();
  readonly #decoders = new Map<string, (bytes: Uint8Array) => unknown>();
  readonly #messages = new Map<string, unknown[]>();

  constructor(url: string) {
    this.#socket = new WebSocket(url, FoxgloveClient.SUPPORTED_SUBPROTOCOL);
    this.#socket.on('error', () => {});
    this.#client = new FoxgloveClient({ ws: this.#socket as never });
    this.#client.on('advertise', (list) => list.forEach((one) => this.channels.set(one.topic, one)));
    this.#client.on('advertiseServices', (list) => list.forEach((one) => this.services.set(one.name, one)));
    this.#client.on('message', ({ subscriptionId, data }) => {
      const topic = present(this.#topics.get(subscriptionId));
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      present(this.#messages.get(topic)).push(present(this.#decoders.get(topic))(bytes));
    });
  }

  subscribe(topic: string): void {
    if (this.#messages.has(topic)) return;
    const channel = present(this.channels.get(topic));
    this.#decoders.set(topic, decoderOf(channel));
    this.#messages.set(topic, []);
    this.#topics.set(this.#client.subscribe(channel.id), topic);
  }

  /** The messages of a topic that is subscribed to. */
  received(topic: string): readonly unknown[] {
    return this.#messages.get(topic) ?? [];
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}

function decoderOf(channel: Channel): (bytes: Uint8Array) => unknown {
  if (channel.encoding === 'json') return (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown;
  const reader = new MessageReader(parseDefinition(channel.schema, { ros2: true }));
  return (bytes) => reader.readMessage(bytes);
}
