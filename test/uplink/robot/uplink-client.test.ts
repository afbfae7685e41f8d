import assert from 'node:assert/strict';
import { HoldfastError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Channel, Message } from '../../../src/core/message.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { parseTransformRule, type TransformRule } from '../../../src/core/transform/rule.js';
import { parseFieldRule } from '../../../src/settings/field-rule.js';
import { present } from '../../../src/core/present.js';
import type {
  ConnectionEvents,
  UplinkConnection,
  UplinkTransport,
} from '../../../src/uplink/link/uplink-transport.js';
import type { TelemetryFrame } from '../../../src/uplink/protocol/telemetry-frame.js';
import {
  decodeRobotMessage,
  encodeGroundMessage,
  type GroundMessage,
} from '../../../src/uplink/protocol/uplink-messages.js';
import { UplinkClient } from '../../../src/uplink/robot/uplink-client.js';
import { SimulatedClock } from '../../support/simulated-clock.js';

const channel: Channel = {
  ...{ robot: 'robot_7', topic: '/speed', encoding: 'cdr', metadata: {}, latched: false },
  schema: { name: 'demo_msgs/msg/Speed', encoding: 'ros2msg', data: new TextEncoder().encode('float64 v\n') },
};

/** A ground that the test plays: it answers when the test says so, and can be slow or gone. */
class PlayedGround implements UplinkTransport {
  readonly address = 'ws://ground/uplink';
  readonly sent: Uint8Array[] = [];
  readonly closes: string[] = [];
  attempts = 0;
  waitingBytes = 0;
  failure: Error | undefined;
  #events: ConnectionEvents | undefined;

  connect(events: ConnectionEvents): Promise<UplinkConnection> {
    this.attempts++;
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.#events = events;
    const waiting = (): number => this.waitingBytes;
    return Promise.resolve({
      send: (message) => void this.sent.push(message),
      get waitingBytes() {
        return waiting();
      },
      close: (reason) => {
        this.closes.push(reason);
        this.drop(reason);
      },
    });
  }

  answer(message: GroundMessage): void {
    this.#events?.message(encodeGroundMessage(message));
  }

  welcome(epoch: number): void {
    this.answer({ kind: 'welcome', protocol: 1, epoch });
  }

  drop(reason: string): void {
    const events = this.#events;
    this.#events = undefined;
    events?.closed(reason);
  }

  /** What was sent since the last call. */
  take(): ReturnType<typeof decodeRobotMessage>[] {
    return this.sent.splice(0).map((bytes) => decodeRobotMessage(bytes));
  }

  frames(): TelemetryFrame[] {
    return this.take().flatMap((one) => (one.kind === 'telemetry' ? [one.frame] : []));
  }
}

describe('The uplink of a robot', () => {
  let clock: SimulatedClock;
  let ground: PlayedGround;
  let client: UplinkClient;
  let speed: number;
  let vin: string;
  /** Of `sync.transform`. */
  let rules: readonly TransformRule[] | undefined;

  beforeEach(async () => {
    clock = new SimulatedClock();
    clock.nowMs = 1_000_000;
    ground = new PlayedGround();
    speed = 10;
    vin = '';
    const fieldRules = [present(parseFieldRule('/speed.v threshold=1'))];
    const options = { robot: 'robot_7', version: '0.1.0', rules: fieldRules, vin: () => vin };
    const randomBytes = (count: number): Uint8Array => new Uint8Array(count).fill(128);
    rules = [];
    const transform = (): typeof rules => rules;
    const ports = { transport: ground, clock, logger: silentLogger, randomBytes, transform };
    client = new UplinkClient(options, ports);
    await clock.advance(0);
  });
  afterEach(() => client[Symbol.asyncDispose]());

  function message(): Message {
    const data = new CdrWriter().begin().f64(speed).finish();
    return { kind: 'message', channel, data, receivedAt: clock.now(), publishedAt: clock.now() };
  }

  /** Time passes, with a message and a tick each 100 ms. */
  async function drive(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      client.take(message());
      await clock.advance(100);
    }
  }

  it('says Hello first, and sends nothing before the Welcome', async () => {
    await drive(1_000);
    const sent = ground.take();
    assert.deepEqual(sent, [{ kind: 'hello', protocol: 1, robot: 'robot_7', version: '0.1.0', vin: '' }]);
    assert.equal(client.status().state, 'connecting');
    assert.ok(client.status().unsentTicks >= 8, `${client.status().unsentTicks}`);
  });

  it('says the VIN that it knows by then each time it connects', async () => {
    vin = '1ZZZ5A3T0RF000001';
    ground.take();
    ground.drop('gone');
    await drive(3_000);
    assert.deepEqual(
      ground.take().map((one) => (one.kind === 'hello' ? one.vin : one.kind)),
      ['1ZZZ5A3T0RF000001'],
    );
  });

  it('sends no value that sync.transform withholds, from the moment at which it learns the rules', async () => {
    ground.welcome(5);
    await drive(500);
    assert.ok(ground.frames().length > 0);
    for (const unsent of [undefined, [present(parseTransformRule('/speed zero=v'))]]) {
      rules = unsent;
      await drive(100);
      ground.take();
      speed += 50;
      await drive(2_000);
      assert.deepEqual(ground.frames(), []);
      assert.equal(client.status().withheldFields, 1);
    }
    rules = [present(parseTransformRule('/speed round=v:100m'))];
    await drive(1_000);
    const [frame] = ground.frames();
    assert.deepEqual([frame?.full?.values, speed], [[100], 110]);
    assert.equal(client.status().withheldFields, 0);
  });

  it('sends nothing of a topic that a rule of sync.transform does not fit', async () => {
    rules = [present(parseTransformRule('/speed zero=w'))];
    ground.welcome(5);
    await drive(2_000);
    assert.deepEqual(ground.frames(), []);
    assert.equal(client.status().withheldFields, 1);
  });

  it('begins with a full frame and its catalogue in the epoch of the Welcome', async () => {
    ground.welcome(5);
    ground.take();
    await drive(500);
    const [frame] = ground.frames();
    assert.ok(frame?.full?.catalogue !== undefined);
    assert.deepEqual([frame.epoch, frame.sequence, frame.full.values], [5, 1, [10]]);
    assert.equal(client.status().state, 'open');
  });

  it('sends changes within 200 ms, and one heartbeat per second without them', async () => {
    ground.welcome(1);
    await drive(500);
    ground.take();
    await drive(3_000);
    const quiet = ground.frames();
    assert.equal(quiet.length, 3);
    assert.ok(quiet.every(({ changes, ticks }) => changes.length === 0 && ticks === 10));
    speed = 20;
    await drive(300);
    assert.equal(ground.frames().flatMap(({ changes }) => changes).length, 1);
    const { sentBytes, telemetryBytes, fullBytes, jsonBytes } = client.status();
    assert.ok(telemetryBytes > 0 && telemetryBytes < sentBytes, `${telemetryBytes} of ${sentBytes} bytes`);
    assert.ok(jsonBytes > fullBytes, `${jsonBytes} bytes of JSON`);
    assert.ok(sentBytes < fullBytes, `${sentBytes} of ${fullBytes} bytes`);
  });

  it('answers a request with a full frame, and ignores one of an earlier epoch', async () => {
    ground.welcome(2);
    await drive(2_000);
    ground.take();
    ground.answer({ kind: 'full_request', epoch: 1, catalogue: true });
    await drive(1_500);
    assert.ok(ground.frames().every(({ full }) => full === undefined));
    ground.answer({ kind: 'full_request', epoch: 2, catalogue: true });
    await drive(200);
    assert.ok(ground.frames().some(({ full }) => full?.catalogue !== undefined));
  });

  it('connects again with growing waits, and begins the new epoch with a full frame', async () => {
    ground.welcome(1);
    await drive(500);
    ground.failure = new HoldfastError('GROUND_UNREACHABLE', 'no route');
    ground.drop('cut off');
    await drive(300);
    assert.deepEqual([client.status().state, client.status().reason], ['waiting', 'cut off']);
    const attempts: number[] = [];
    for (let second = 0; second < 120; second++) {
      const before = ground.attempts;
      await clock.advance(1_000);
      if (ground.attempts > before) attempts.push(second);
    }
    const waits = attempts.slice(1).map((at, i) => at - attempts[i]!);
    assert.ok(
      waits.slice(0, 3).every((wait, i) => i === 0 || wait > waits[i - 1]!),
      String(waits),
    );
    assert.ok(Math.max(...waits) <= 31, String(waits));
    assert.equal(client.status().reason, 'no route');
    ground.failure = undefined;
    await clock.advance(31_000);
    ground.take();
    ground.welcome(2);
    await drive(300);
    const [frame] = ground.frames();
    assert.ok(frame?.full?.catalogue !== undefined && frame.epoch === 2 && frame.sequence === 1);
    assert.equal(client.status().connections, 2);
  });

  it('leaves out samples while the link is too slow, and continues with a full frame', async () => {
    ground.welcome(1);
    await drive(500);
    ground.take();
    const { unsentTicks } = client.status();
    ground.waitingBytes = 1e6;
    await drive(1_000);
    assert.deepEqual(ground.take(), []);
    assert.equal(client.status().unsentTicks, unsentTicks + 10);
    ground.waitingBytes = 0;
    await drive(200);
    assert.ok(ground.frames().some(({ full }) => full !== undefined));
  });

  it('gives up a ground that does not answer the Hello within 10 s', async () => {
    await clock.advance(10_000);
    assert.deepEqual(ground.closes, ['no Welcome']);
  });

  it('gives up a ground that speaks another version, or nonsense', async () => {
    ground.answer({ kind: 'welcome', protocol: 2, epoch: 1 });
    assert.deepEqual(ground.closes, ['an unusable message']);
    await clock.advance(2_000);
    assert.equal(client.status().connections, 0);
  });

  it('ticks by the time of the messages, not by the clock: a replay is years old', async () => {
    ground.welcome(1);
    ground.take();
    const then = 1_500_000_000_000_000_000n;
    for (let i = 0; i < 10; i++) {
      client.take({ ...message(), receivedAt: then + BigInt(i) * 100_000_000n });
      await clock.advance(100);
    }
    const frames = ground.frames();
    assert.ok(frames.length > 0);
    assert.equal(frames.filter(({ full }) => full !== undefined).length, 1, 'one run of ticks');
    assert.ok(frames.every(({ timeNs = then }) => timeNs >= then && timeNs < then + 2_000_000_000n));
  });

  it('sends what waits before it closes', async () => {
    ground.welcome(1);
    await drive(500);
    ground.take();
    speed = 99;
    client.take(message());
    await clock.advance(120);
    await client[Symbol.asyncDispose]();
    assert.ok(ground.frames().some(({ changes }) => changes.length === 1));
    assert.deepEqual(ground.closes, ['the recorder ends']);
    assert.equal(client.status().state, 'closed');
  });
});
