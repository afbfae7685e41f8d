import assert from 'node:assert/strict';
import { silentLogger } from '../../../src/core/logger.js';
import type { Channel } from '../../../src/core/message.js';
import type { SourceEvent } from '../../../src/core/source.js';
import { MessageDecoder } from '../../../src/recordings/message-decoder.js';
import { FoxgloveSession } from '../../../src/sources/foxglove/foxglove-session.js';
import { GapCollector } from '../../../src/sources/gap-collector.js';
import { firstSegment, recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';
import { systemClock } from '../../../src/host/system-clock.js';

interface Advertisement {
  readonly id: number;
  readonly topic: string;
  readonly encoding: string;
  readonly schemaName: string;
  readonly schema?: string;
  readonly schemaEncoding?: string;
}

const TEXT: Advertisement = {
  id: 1,
  topic: '/robot1/a',
  encoding: 'cdr',
  schemaName: 'std_msgs/msg/String',
  schema: 'string data\n',
  schemaEncoding: 'ros2msg',
};

/** A server that serves every subscription it was ever asked for, but for those that were given up. */
class PlainServer {
  readonly events: SourceEvent[] = [];
  readonly lines: LogLine[] = [];
  readonly ops: string[] = [];
  readonly session: FoxgloveSession;
  readonly #subscriptions = new Map<number, number>();

  constructor(wanted: (topic: string, type: string) => boolean = () => true, lines?: LogLine[]) {
    const emit = (event: SourceEvent): void => void this.events.push(event);
    this.session = new FoxgloveSession({
      context: {
        clock: systemClock,
        logger: lines === undefined ? silentLogger : recordingLogger(lines),
        flow: { whenReady: () => undefined },
        robotOf: firstSegment,
        wanted,
        signal: new AbortController().signal,
      },
      emit,
      gaps: new GapCollector(systemClock, emit),
      maxMessageBytes: 1_000_000,
      known: new Map<string, Channel>(),
      send: (message) => this.#take(message as never),
    });
  }

  advertise(...channels: Advertisement[]): void {
    this.session.receiveText(JSON.stringify({ op: 'advertise', channels }));
  }

  unadvertise(...channelIds: number[]): void {
    this.session.receiveText(JSON.stringify({ op: 'unadvertise', channelIds }));
  }

  publish(channelId: number, text: string): void {
    for (const [subscription, channel] of this.#subscriptions) {
      if (channel !== channelId) continue;
      const head = Buffer.alloc(13);
      head.writeUInt8(1, 0);
      head.writeUInt32LE(subscription, 1);
      head.writeBigUInt64LE(1_700_000_000_000_000_000n, 5);
      this.session.receiveBinary(Buffer.concat([head, Buffer.from(text)]));
    }
  }

  get messages(): string[] {
    return this.events
      .filter((event) => event.kind === 'message')
      .map((event) => Buffer.from(event.data).toString());
  }

  kinds(): string[] {
    return this.events.map((event) => event.kind);
  }

  get channels(): Channel[] {
    return this.events.filter((event) => event.kind === 'channel').map(({ channel }) => channel);
  }

  #take(message: {
    op: string;
    subscriptions?: { id: number; channelId: number }[];
    subscriptionIds?: number[];
  }): void {
    this.ops.push(message.op);
    for (const { id, channelId } of message.subscriptions ?? []) this.#subscriptions.set(id, channelId);
    for (const id of message.subscriptionIds ?? []) this.#subscriptions.delete(id);
  }
}

describe('a session with a Foxglove server', () => {
  it('records each message once when a channel is advertised three times', () => {
    const server = new PlainServer();
    for (let i = 0; i < 3; i++) server.advertise(TEXT);
    server.publish(1, 'once');
    assert.deepEqual(server.messages, ['once']);
    assert.deepEqual(server.ops, ['subscribe']);
    assert.deepEqual(server.kinds(), ['channel', 'message']);
  });

  it('gives a changed channel up before it subscribes to it again', () => {
    const server = new PlainServer();
    server.advertise(TEXT);
    server.advertise({ ...TEXT, schema: 'string data\nint32 more\n' });
    server.publish(1, 'changed');
    assert.deepEqual(server.ops, ['subscribe', 'unsubscribe', 'subscribe']);
    assert.deepEqual(server.messages, ['changed']);
    assert.deepEqual(server.kinds(), ['channel', 'channel-gone', 'channel', 'message']);
    assert.match(Buffer.from(server.channels[1]!.schema.data).toString(), /int32 more/);
  });

  it('drops a channel that changes to an unwanted type', () => {
    const server = new PlainServer((_topic, type) => type === TEXT.schemaName);
    server.advertise(TEXT);
    server.advertise({ ...TEXT, schemaName: 'std_msgs/msg/Int32', schema: 'int32 data\n' });
    server.publish(1, 'unwanted');
    assert.deepEqual(server.ops, ['subscribe', 'unsubscribe']);
    assert.deepEqual(server.messages, []);
    assert.deepEqual(server.kinds(), ['channel', 'channel-gone']);
  });

  it('records each message once when the server keeps subscriptions of a channel that went and came back', () => {
    const server = new PlainServer();
    for (let i = 0; i < 3; i++) {
      server.advertise(TEXT);
      server.publish(1, `message ${i}`);
      server.unadvertise(1);
    }
    assert.deepEqual(server.messages, ['message 0', 'message 1', 'message 2']);
    assert.deepEqual(
      server.events.filter((event) => event.kind === 'gap'),
      [],
    );
  });

  it('takes the last messages of a channel that is gone', () => {
    const server = new PlainServer();
    server.advertise(TEXT);
    server.unadvertise(1);
    server.publish(1, 'late');
    assert.deepEqual(server.messages, ['late']);
  });

  it('takes an empty definition for that of a type without fields', () => {
    for (const [encoding, schemaEncoding] of [
      ['cdr', 'ros2msg'],
      ['ros1', 'ros1msg'],
    ] as const) {
      const lines: LogLine[] = [];
      const server = new PlainServer(undefined, lines);
      server.advertise({ ...TEXT, encoding, schemaName: 'std_msgs/msg/Empty', schema: '', schemaEncoding });
      const [channel] = server.channels;
      assert.ok(channel);
      assert.deepEqual(
        { ...channel.schema, data: Buffer.from(channel.schema.data).toString() },
        { name: 'std_msgs/msg/Empty', encoding: schemaEncoding, data: '' },
      );
      assert.deepEqual(lines, []);
      if (encoding !== 'cdr') continue;
      const known = {
        id: 1,
        topic: channel.topic,
        encoding,
        metadata: {},
        schema: channel.schema,
        carried: false,
      };
      const decoded = new MessageDecoder().decode(known, Uint8Array.of(0, 1, 0, 0, 0));
      assert.deepEqual(decoded, { ok: true, value: {} });
    }
  });

  it('reports a missing definition if the server leaves it out', () => {
    const { schema: _schema, schemaEncoding: _encoding, ...bare } = TEXT;
    const protobuf = {
      ...TEXT,
      encoding: 'protobuf',
      schemaName: 'a.B',
      schema: '',
      schemaEncoding: 'protobuf',
    };
    // A std_msgs/msg/String is known to have a field.
    for (const channel of [bare, { ...bare, schema: '' }, { ...TEXT, schema: '' }, protobuf]) {
      const lines: LogLine[] = [];
      const server = new PlainServer(undefined, lines);
      server.advertise(channel);
      assert.equal(server.channels[0]!.schema.encoding, '');
      assert.deepEqual(
        lines.map(({ fields }) => fields?.['code']),
        ['SCHEMA_MISSING'],
      );
    }
  });
});
