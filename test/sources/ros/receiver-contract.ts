import assert from 'node:assert/strict';
import type { Node } from 'rclnodejs';
import type { QueueRule } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import { NO_LIMITS, type MessageInfo, type Receiver } from '../../../src/sources/ros/receiver.js';
import type { ReceiverSubscription } from '../../../src/sources/ros/receiver.js';
import { eventually } from '../../../src/testing/waiting.js';

/** A receiver, and a middleware to publish with. */
export interface ReceiverWorld {
  readonly receiver: Receiver;
  readonly node: Node;
  /** Returns when the middleware has it, which is not yet when the receiver has. */
  publish(topic: string, data: Buffer): void;
  /** Resolves when each subscription of the topic hears the publisher. */
  matched(topic: string, subscriptions: number): Promise<void>;
  close(): Promise<void>;
}

/** What came on one subscription. */
export class Heard {
  readonly messages: Buffer[] = [];
  readonly infos: (MessageInfo | undefined)[] = [];
  readonly subscription: ReceiverSubscription;
  onEach: ((data: Buffer) => void) | undefined;

  constructor(
    { receiver, node }: ReceiverWorld,
    topic: string,
    options: {
      readonly limits?: QueueRule;
      readonly depth?: number;
      readonly predecessor?: ReceiverSubscription;
    } = {},
  ) {
    const { limits = NO_LIMITS, depth = 5_000, predecessor } = options;
    const qos = { history: 1, depth, reliability: 1, durability: 2, liveliness: 0 };
    const type = 'std_msgs/msg/String';
    const onMessage = (data: Buffer, info: MessageInfo | undefined): void => {
      this.messages.push(data);
      this.infos.push(info);
      this.onEach?.(data);
    };
    const request = { topic, type, qos, limits, onMessage, onDropped: () => undefined };
    this.subscription = receiver.subscribe(node, request, predecessor);
  }

  texts(): readonly string[] {
    return this.messages.map(textOf);
  }

  async count(messages: number): Promise<void> {
    await eventually(() => this.messages.length >= messages, `${messages} messages`, 20_000);
  }
}

/** A std_msgs/msg/String as it is sent, with a length that Cyclone DDS does not pad. */
export function message(text: string): Buffer {
  const padded = Buffer.from(text.padEnd(Math.ceil((text.length + 1) / 4) * 4 - 1, ' ') + '\0');
  const head = Buffer.from('0001000000000000', 'hex');
  head.writeUInt32LE(padded.length, 4);
  return Buffer.concat([head, padded]);
}

export function textOf(data: Buffer): string {
  return data.toString('utf8', 8, 8 + data.readUInt32LE(4) - 1).trimEnd();
}

function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => String(from + index));
}

/** What every receiver must do; run it once per receiver. */
export function receiverContract(name: string, open: () => Promise<ReceiverWorld>): void {
  describe(`${name} keeps the contract of receivers`, function () {
    this.timeout(60_000);
    let world: ReceiverWorld;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world.close());
    const publish = (topic: string, texts: readonly string[]): void => {
      for (const text of texts) world.publish(topic, message(text));
    };

    it('delivers every message once, in order, byte for byte', async () => {
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      const texts = numbers(500).map((text) => text.padEnd(Number(text) * 7, '.'));
      publish('/a', texts);
      await heard.count(500);
      assert.deepEqual(heard.messages, texts.map(message));
    });

    it('delivers large messages between small ones', async () => {
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      const texts = [10, 300_000, 20, 2_000_000, 70_000, 30].map((size, index) =>
        String(index).padEnd(size, 'x'),
      );
      publish('/a', texts);
      await heard.count(texts.length);
      assert.deepEqual(heard.messages, texts.map(message));
    });

    it('gives each message memory that no later one overwrites', async () => {
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      for (let round = 0; round < 20; round++) {
        publish('/a', numbers(50, round * 50));
        await heard.count((round + 1) * 50);
      }
      assert.deepEqual(heard.texts(), numbers(1_000));
    });

    it('keeps subscriptions apart', async () => {
      const [a, b] = [new Heard(world, '/a'), new Heard(world, '/b')];
      await Promise.all([world.matched('/a', 1), world.matched('/b', 1)]);
      publish('/a', numbers(20));
      publish('/b', numbers(20, 100));
      await Promise.all([a.count(20), b.count(20)]);
      assert.deepEqual([a.texts(), b.texts()], [numbers(20), numbers(20, 100)]);
    });

    it('takes the waiting messages in a drain, and delivers them before it returns', async () => {
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      publish('/a', ['1']);
      await heard.count(1);
      publish('/a', numbers(9, 2));
      // On a real middleware it may still be on its way.
      await eventually(() => heard.subscription.drain(Infinity) === 0 && heard.messages.length === 10, 'all');
      assert.deepEqual(heard.texts(), numbers(10, 1));
    });

    it('delivers nothing after it was destroyed, also from inside a message', async () => {
      const [heard, other] = [new Heard(world, '/a'), new Heard(world, '/b')];
      await Promise.all([world.matched('/a', 1), world.matched('/b', 1)]);
      heard.onEach = () => {
        if (heard.messages.length === 3) heard.subscription.destroy();
      };
      publish('/a', numbers(10));
      await heard.count(3);
      publish('/b', ['end']);
      await other.count(1);
      heard.subscription.destroy();
      assert.deepEqual(heard.texts(), numbers(3));
      assert.equal(heard.subscription.drain(Infinity), 0);
    });

    it('continues after a listener that throws', async () => {
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      heard.onEach = (data) => {
        if (textOf(data) === '1') throw new Error('of the listener');
      };
      publish('/a', numbers(5));
      // What comes next may be needed to wake it.
      await eventually(() => {
        try {
          heard.subscription.drain(Infinity);
        } catch (error) {
          assert.match(String(error), /of the listener/);
        }
        return heard.messages.length >= 5;
      }, 'all messages');
      assert.deepEqual(heard.texts(), numbers(5));
    });

    it('throws if the type support is not installed, and continues', async () => {
      const { receiver, node } = world;
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      const qos = { history: 1, depth: 10, reliability: 1, durability: 2, liveliness: 0 };
      const listeners = { onMessage: () => undefined, onDropped: () => undefined };
      const request = { topic: '/x', type: 'no_such_msgs/msg/Thing', qos, limits: NO_LIMITS, ...listeners };
      assert.throws(() => receiver.subscribe(node, request), /no_such_msgs/);
      publish('/a', ['1']);
      await heard.count(1);
    });

    it('delivers nothing of a successor before what its predecessor has', async function () {
      if (!world.receiver.ordersPredecessor) return;
      const former = new Heard(world, '/a');
      await world.matched('/a', 1);
      publish('/a', numbers(10));
      const order: string[] = [];
      former.onEach = (data) => order.push(`former ${textOf(data)}`);
      const later = new Heard(world, '/a', { predecessor: former.subscription });
      later.onEach = (data) => order.push(`later ${textOf(data)}`);
      await world.matched('/a', 2);
      publish('/a', numbers(500, 10));
      await Promise.all([former.count(510), later.count(500)]);
      for (const text of later.texts()) {
        assert.ok(order.indexOf(`former ${text}`) < order.indexOf(`later ${text}`), text);
      }
      former.subscription.destroy();
      publish('/a', ['end']);
      await eventually(() => later.texts().includes('end'), 'the end');
    });

    it('reports when a message was taken and published, if it reports anything', async () => {
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      const before = BigInt(Date.now()) * 1_000_000n;
      publish('/a', numbers(3));
      await heard.count(3);
      const after = BigInt(Date.now() + 1) * 1_000_000n;
      if (world.receiver.kind === 'rclnodejs') {
        assert.deepEqual(heard.infos, [undefined, undefined, undefined]);
        return;
      }
      for (const info of heard.infos) {
        const { receivedAt, publishedAt } = present(info);
        assert.ok(receivedAt >= before && receivedAt <= after, String(receivedAt));
        assert.ok(present(publishedAt) >= before && present(publishedAt) <= receivedAt);
      }
    });

    it('can be closed twice, and delivers nothing then', async () => {
      const heard = new Heard(world, '/a');
      await world.matched('/a', 1);
      publish('/a', ['1']);
      await heard.count(1);
      world.receiver.close();
      world.receiver.close();
      publish('/a', ['2']);
      assert.equal(heard.subscription.drain(Infinity), 0);
      heard.subscription.destroy();
      assert.deepEqual(heard.texts(), ['1']);
    });
  });
}
