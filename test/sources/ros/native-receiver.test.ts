import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Node } from 'rclnodejs';
import { DurationHistogram } from '../../../src/core/duration-histogram.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import { present } from '../../../src/core/present.js';
import { systemTimers } from '../../../src/host/system-clock.js';
import { loadNative } from '../../../src/sources/ros/native-loader.js';
import { NativeReceiver, latencyBoundsMs } from '../../../src/sources/ros/native-receiver.js';
import { openReceiver } from '../../../src/sources/ros/open-receiver.js';
import { RclnodejsReceiver } from '../../../src/sources/ros/rclnodejs-receiver.js';
import { NO_LIMITS, type ReceiverDrop } from '../../../src/sources/ros/receiver.js';
import type { RosSession } from '../../../src/sources/ros/ros-session.js';
import { silentLogger } from '../../../src/core/logger.js';
import { FakeBinding } from './fake-middleware.js';
import { Heard, message, receiverContract, textOf, type ReceiverWorld } from './receiver-contract.js';

const node = { handle: {}, name: () => 'recorder' } as unknown as Node;

function nativeWorld(
  binding = new FakeBinding(),
): ReceiverWorld & { readonly binding: FakeBinding; readonly latencies: DurationHistogram } {
  const closing = new Set<() => void>();
  const session = {
    context: { handle: {} },
    node,
    isClosed: false,
    beforeClose: (end: () => void) => {
      closing.add(end);
      return () => closing.delete(end);
    },
  } as unknown as RosSession;
  const latencies = new DurationHistogram(latencyBoundsMs);
  const parts = { binding, session, latencies, timers: systemTimers, logger: silentLogger };
  const wipe = (memory: Buffer): Buffer => memory.fill(0xdb);
  const receiver = new NativeReceiver({ ...parts, arenaBytes: 1_000_000, wipe });
  return {
    ...{ binding, latencies },
    receiver,
    node,
    publish: (topic, data) => binding.publish(topic, data),
    matched: () => Promise.resolve(),
    close: () => {
      for (const end of closing) end();
      assert.ok(binding.isClosed, 'the session ends it');
      return Promise.resolve();
    },
  };
}

/** Takes any arguments. */
class FakeQos {
  readonly isFake = true;
}

/** The part of rclnodejs that its receiver uses. */
function rclnodejsWorld(): ReceiverWorld {
  interface FakeSubscription {
    readonly topic: string;
    readonly untaken: Buffer[];
    readonly onReady: (first: Buffer) => void;
    handle: unknown;
  }
  const subscriptions = new Set<FakeSubscription>();
  const fake = {
    _subscriptions: [] as unknown[],
    createSubscription: (
      typeClass: { type(): { pkgName: string } },
      topic: string,
      _options: object,
      onReady: (first: Buffer) => void,
    ) => {
      const { pkgName } = typeClass.type();
      if (pkgName !== 'std_msgs') throw new Error(`lib${pkgName}__rosidl_typesupport_c.so: cannot open`);
      const made: FakeSubscription = { topic, untaken: [], onReady, handle: undefined };
      made.handle = made;
      subscriptions.add(made);
      return made;
    },
    destroySubscription: (one: FakeSubscription) => subscriptions.delete(one),
  };
  const session = {
    rcl: { QoS: FakeQos },
    ros: { native: { rclTakeRaw: (one: FakeSubscription) => one.untaken.shift() } },
    isClosed: false,
    create: (work: (node: unknown) => unknown) => work(fake),
  } as unknown as RosSession;
  const receiver = new RclnodejsReceiver(session, systemTimers, silentLogger);
  return {
    receiver,
    node: fake as unknown as Node,
    publish: (topic, data) => {
      for (const one of subscriptions) {
        if (one.topic !== topic) continue;
        one.untaken.push(data);
        setImmediate(() => {
          const first = subscriptions.has(one) ? one.untaken.shift() : undefined;
          if (first !== undefined) one.onReady(first);
        });
      }
    },
    matched: () => Promise.resolve(),
    close: () => {
      receiver.close();
      return Promise.resolve();
    },
  };
}

receiverContract('The native receiver on a fake add-on', () => Promise.resolve(nativeWorld()));
receiverContract('The receiver of rclnodejs on a fake of it', () => Promise.resolve(rclnodejsWorld()));

describe('The native receiver', () => {
  it('delivers messages in order if a listener drains inside a callback', async () => {
    const world = nativeWorld(new FakeBinding(4));
    const heard = new Heard(world, '/a');
    heard.onEach = () => {
      if (heard.messages.length % 5 === 0) heard.subscription.drain(3);
    };
    for (let number = 0; number < 200; number++) world.publish('/a', message(String(number)));
    await heard.count(200);
    assert.deepEqual(
      heard.texts(),
      Array.from({ length: 200 }, (_, number) => String(number)),
    );
    await world.close();
  });

  it('says who published a message, and nothing where the add-on does not know', async () => {
    const world = nativeWorld();
    world.binding.publishers.push('ab'.repeat(16), '');
    const heard = new Heard(world, '/a');
    for (const from of [1, 0, 2]) {
      world.binding.from = from;
      world.publish('/a', message(String(from)));
      await heard.count(heard.messages.length + 1);
    }
    assert.deepEqual(
      heard.infos.map((info) => info?.publisher),
      ['ab'.repeat(16), undefined, undefined],
    );
    await world.close();
  });

  it('measures how long messages were on their way', async () => {
    const world = nativeWorld();
    const heard = new Heard(world, '/a');
    world.binding.ageNs = 30_000_000n;
    world.publish('/a', message('1'));
    await heard.count(1);
    // The clock of the publisher is ahead.
    world.binding.ageNs = -1_000_000_000n;
    world.publish('/a', message('2'));
    await heard.count(2);
    const { count, sumMs, boundsMs, atMost } = world.latencies.toJson();
    assert.deepEqual([count, sumMs], [2, 30]);
    const upTo = (ms: number) => atMost[boundsMs.indexOf(ms)];
    assert.deepEqual([upTo(20), upTo(50)], [1, 2]);
    await world.close();
  });

  it('reports the drops of a subscription, also of one that has ended', async () => {
    const world = nativeWorld();
    const drops: ReceiverDrop[] = [];
    const subscription = world.receiver.subscribe(node, {
      topic: '/a',
      type: 'std_msgs/msg/String',
      qos: { history: 1, depth: 1, reliability: 1, durability: 2, liveliness: 0 },
      limits: NO_LIMITS,
      onMessage: () => undefined,
      onDropped: (drop) => drops.push(drop),
    });
    const other = new Heard(world, '/b');
    const facts = { subscription: 1, reason: 'memory_limit', messages: 3, bytes: 30 } as const;
    world.binding.publishers.push('ab'.repeat(16));
    const lost = { subscription: 1, reason: 'source_lost', messages: 2, bytes: 0, publisher: 1 } as const;
    world.binding.drops.push(
      { ...facts, firstAt: 1n, lastAt: 2n },
      { ...lost, firstAt: 3n, lastAt: 4n, firstNumber: 5, lastNumber: 7 },
    );
    subscription.destroy();
    world.publish('/b', message('1'));
    await other.count(1);
    const publisher = 'ab'.repeat(16);
    assert.deepEqual(drops, [
      { reason: 'memory_limit', count: 3, bytes: 30, firstAt: 1n, lastAt: 2n },
      { reason: 'source_lost', count: 2, bytes: 0, firstAt: 3n, lastAt: 4n, publisher, numbers: [5, 7] },
    ]);
    await world.close();
  });

  it('shares small blocks of memory among small messages alone', async () => {
    const world = nativeWorld(new FakeBinding(4_096));
    const heard = new Heard(world, '/a');
    for (let number = 0; number < 2_000; number++) world.publish('/a', message('x'.repeat(100)));
    world.publish('/a', message('y'.repeat(500_000)));
    await heard.count(2_001);
    assert.ok(new Set(heard.messages.map(({ buffer }) => buffer)).size < 1_000);
    const large = present(heard.messages.at(-1));
    assert.ok(large.buffer.byteLength < 1.125 * large.byteLength);
    for (const { buffer } of heard.messages.slice(0, -1)) assert.ok(buffer.byteLength <= 64 * 1024);
    await world.close();
  });

  it('lends the memory of large messages, and uses it again once it is back', async () => {
    const world = nativeWorld();
    const heard = new Heard(world, '/a');
    const text = (number: number): string => String(number).padEnd(100_000, 'x');
    for (let number = 0; number < 100; number++) {
      world.publish('/a', message(text(number)));
      await heard.count(number + 1);
      // The one before is still held, as during a commit.
      if (number > 0) present(heard.infos[number - 1]?.lease).release();
    }
    assert.equal(new Set(heard.messages.map(({ buffer }) => buffer)).size, 2);
    assert.equal(textOf(present(heard.messages.at(-1))), text(99), 'a held payload is not touched');
    world.publish('/a', message('small'));
    await heard.count(101);
    assert.equal(heard.infos.at(-1)?.lease, undefined);
    await world.close();
  });

  it('is not loaded if it is not built, or is built for another version or another ROS', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-native-'));
    try {
      const sourced = { distro: 'jazzy', prefixes: [] };
      const refused = (content: string | undefined, version = '1.0.0', distro = 'jazzy'): string => {
        const built = join(folder, `${Math.random()}.cjs`);
        if (content !== undefined) writeFileSync(built, content);
        try {
          loadNative({ ...sourced, distro }, { built, prebuilds: folder, version });
        } catch (error) {
          if (isHoldfastError(error)) return `${error.code} ${error.message}`;
          throw error;
        }
        return 'loaded';
      };
      const facts = "module.exports = { facts: { version: '1.0.0', distro: 'jazzy', rcl: '9.2.4' } };";
      assert.match(refused(undefined), /^ROS_NOT_BUILT the native receiver is not built; run "node native/);
      assert.match(refused('throw new Error("librcl.so: cannot open")'), /^ROS_NOT_BUILT .*librcl\.so/);
      assert.match(refused(facts, '1.1.0'), /^ROS_NOT_BUILT .* is of Holdfast 1\.0\.0, this is 1\.1\.0/);
      assert.match(refused(facts, '1.0.0', 'kilted'), /^ROS_DISTRO_MISMATCH .* ROS jazzy, but ROS kilted/);
      assert.equal(refused(facts), 'loaded');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is loaded as it was compiled elsewhere for this release of Linux, unless it is compiled here', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-native-'));
    try {
      const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
      const prebuilt = join(folder, `linux-${process.arch}`);
      mkdirSync(prebuilt);
      const name = `jazzy-${codename}-${process.arch}-holdfast_receiver`;
      // Not a library, so it cannot be loaded: the error says which file was chosen.
      writeFileSync(join(prebuilt, `${name}.node`), '');
      const place = { built: join(folder, 'built.cjs'), prebuilds: folder, version: '1.0.0' };
      const load = (distro: string): unknown => loadNative({ distro, prefixes: [] }, place);
      assert.throws(() => load('jazzy'), new RegExp(`does not load .*${name}`));
      assert.throws(() => load('kilted'), /is not built/);
      writeFileSync(
        place.built,
        "module.exports = { facts: { version: '1.0.0', distro: 'jazzy', rcl: '9.2.4' } };",
      );
      assert.ok(load('jazzy'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is replaced by rclnodejs if the choice is automatic, with the reason', () => {
    // No distribution has this name, so no add-on fits.
    const session = { ros: { distro: 'none', prefixes: [] } } as unknown as RosSession;
    const reasons: string[] = [];
    const choice = {
      ...{ arenaBytes: 1, timers: systemTimers, logger: silentLogger },
      latencies: new DurationHistogram(latencyBoundsMs),
      onFallback: (reason: string) => reasons.push(reason),
    };
    assert.equal(openReceiver(session, { ...choice, mode: 'auto' }).kind, 'rclnodejs');
    assert.equal(reasons.length, 1);
    assert.match(reasons[0]!, /native receiver/);
    assert.throws(() => openReceiver(session, { ...choice, mode: 'native' }), /native receiver/);
    assert.equal(openReceiver(session, { ...choice, mode: 'rclnodejs' }).kind, 'rclnodejs');
    assert.equal(reasons.length, 1);
  });
});
