import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../src/core/clock.js';
import { NS_PER_MS, NS_PER_S } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import { parseTransformRule, type TransformRule } from '../../../src/core/transform/rule.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import type { OutboxBatch } from '../../../src/uplink/protocol/outbox-codec.js';
import { Outbox } from '../../../src/uplink/robot/outbox.js';
import { OutboxSender } from '../../../src/uplink/robot/outbox-sender.js';
import { Redaction } from '../../../src/uplink/robot/redaction.js';
import { TICK_NS } from '../../../src/uplink/robot/uplink-pace.js';
import { field } from '../protocol/uplink-world.js';

const PACE_MS = 100;
const RUN = 7n;
/** More than fits on its way several times over. */
const SAMPLES = 8_000;
const FIELDS = 8;

/** The time and the turns of a sender that the test gives it. */
class SteppedClock implements Pick<Clock, 'monotonic' | 'every'> {
  #nowNs = NS_PER_S;
  #turn = (): void => undefined;

  monotonic(): bigint {
    return this.#nowNs;
  }

  every(_periodMs: number, turn: () => void): { cancel(): void } {
    this.#turn = turn;
    return { cancel: () => undefined };
  }

  turn(): void {
    this.#nowNs += BigInt(PACE_MS) * NS_PER_MS;
    this.#turn();
  }

  pass(ns: bigint): void {
    this.#nowNs += ns;
  }
}

describe('The sender of the outbox', () => {
  let folder: string;
  let outbox: Outbox;
  let clock: SteppedClock;
  let sender: OutboxSender;
  let sent: OutboxBatch[];

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-outbox-sender-'));
    const ports = { fs, clock: systemClock, logger: silentLogger, random: randomBytes };
    outbox = await Outbox.open(join(folder, 'outbox'), RUN, 64 * 1024 * 1024, ports);
    outbox.fields(
      Array.from({ length: FIELDS }, (_, i) => field({ path: `field_${i}` })),
      TICK_NS,
    );
    const values = Float64Array.from({ length: FIELDS }, (_, i) => i);
    for (let tick = 0; tick < SAMPLES; tick++) outbox.append(tick, BigInt(tick * TICK_NS), values);
    clock = new SteppedClock();
    sent = [];
    sender = senderWith(new Redaction([]));
  });
  function senderWith(redaction: Redaction): OutboxSender {
    return new OutboxSender({
      ...{ outbox, connection: { waitingBytes: 0 }, clock: clock as unknown as Clock, logger: silentLogger },
      ...{ paceMs: PACE_MS, beforeTick: () => Infinity, redaction },
      send: (message) => {
        if (message.kind === 'outbox') sent.push(message);
      },
    });
  }
  afterEach(async () => {
    sender[Symbol.dispose]();
    await outbox[Symbol.asyncDispose]();
    await fs.rm(folder, { recursive: true, force: true });
  });

  /** Turns of the sender until it sends nothing more by itself. Returns what it has sent. */
  const sendAll = async (): Promise<readonly OutboxBatch[]> => {
    const from = sent.length;
    for (let before = -1; before < sent.length;) {
      before = sent.length;
      clock.turn();
      // The outbox is read serially: when these resolve, what the turn began has ended.
      for (let i = 0; i < 3; i++) await outbox.read('s', 0, 1, 1).then(() => new Promise(setImmediate));
    }
    return sent.slice(from);
  };
  const samplesOf = (batches: readonly OutboxBatch[]): number =>
    batches.reduce((sum, { samples }) => sum + samples.length, 0);
  const confirm = ({ run, samples }: OutboxBatch): void => {
    const firstTick = present(samples[0]).tick;
    sender.confirmed(run, firstTick, present(samples.at(-1)).tick - firstTick + 1);
  };

  it('has little on its way at first, more with each confirmation, and never more than 128 KiB', async () => {
    const rounds: number[] = [];
    for (let round = 0; round < 8; round++) {
      const batches = await sendAll();
      rounds.push(samplesOf(batches));
      batches.forEach(confirm);
    }
    // About 100 bytes are in the outbox for a sample of 8 fields.
    assert.ok(rounds[0]! <= 50, String(rounds));
    for (let i = 1; i < 5; i++) assert.ok(rounds[i]! >= 1.8 * rounds[i - 1]!, String(rounds));
    assert.ok(Math.max(...rounds) <= 1_500, String(rounds));
    assert.ok(rounds[7]! >= 1_000, String(rounds));
  });

  it('sends the oldest again, and little, if the ground does not confirm', async () => {
    for (let round = 0; round < 6; round++) (await sendAll()).forEach(confirm);
    const unconfirmed = await sendAll();
    assert.ok(samplesOf(unconfirmed) > 500);
    clock.pass(4n * NS_PER_S);
    assert.deepEqual(await sendAll(), []);
    clock.pass(2n * NS_PER_S);
    const again = await sendAll();
    assert.equal(again[0]?.samples[0]?.tick, unconfirmed[0]?.samples[0]?.tick);
    assert.ok(samplesOf(again) <= 50);
  });

  it('forgets a removed piece once it is confirmed, also with samples before and behind it', async () => {
    const random = randomBytes;
    const ports = { fs, clock: systemClock, logger: silentLogger, random };
    await using full = await Outbox.open(join(folder, 'full'), RUN, 4 * 1024, ports);
    full.fields([field({})], TICK_NS);
    for (let tick = 10; tick < 300; tick++) full.append(tick, BigInt(tick * TICK_NS), new Float64Array(1));
    await full.read('s', 0, 1, 1);
    const [piece] = await full.removed(1);
    const { firstTick, ticks } = present(piece);
    const told: number[][] = [];
    using teller = new OutboxSender({
      redaction: new Redaction([]),
      ...{ outbox: full, connection: { waitingBytes: 0 }, clock: clock as unknown as Clock },
      ...{ logger: silentLogger, paceMs: PACE_MS, beforeTick: () => 0 },
      send: (message) => {
        if (message.kind === 'removed') told.push([message.ticks, message.catalogue.fields.length]);
      },
    });
    clock.turn();
    await eventually(() => told.length > 0, 'the piece is sent');
    teller.confirmed(RUN, 0, firstTick);
    teller.confirmed(RUN, firstTick, ticks);
    teller.confirmed(RUN, firstTick + ticks, 1);
    clock.pass(11n * NS_PER_S);
    clock.turn();
    await eventually(async () => (await full.removed(1)).length === 0, 'the piece is forgotten');
    assert.deepEqual(told, [[ticks, 1]]);
  });

  /** A sender of the same outbox with these rules, and what it sends of it. */
  const sentWith = async (rules: readonly TransformRule[] | undefined): Promise<readonly OutboxBatch[]> => {
    sender[Symbol.dispose]();
    sender = senderWith(new Redaction(rules));
    return sendAll();
  };
  const rule = (text: string): TransformRule => present(parseTransformRule(text));

  it('sends samples that were taken before a rule of sync.transform as the rule leaves them', async () => {
    const [batch] = await sentWith([rule('/odom drop=field_0,field_3 round=field_7:2m')]);
    const { catalogue, samples } = present(batch);
    const paths = present(catalogue).fields.map(({ path }) => path);
    assert.deepEqual(paths, ['field_1', 'field_2', 'field_4', 'field_5', 'field_6', 'field_7']);
    assert.deepEqual(samples[0]?.values, [1, 2, 4, 5, 6, 8]);
  });

  it('sends nothing, and keeps it, while the rules are unknown', async () => {
    assert.deepEqual(await sentWith(undefined), []);
    assert.equal(outbox.status().waitingSamples, SAMPLES);
    assert.ok((await sentWith([])).length > 0);
  });

  it('removes samples of which nothing may leave, without sending them', async () => {
    assert.deepEqual(await sentWith([rule('/odom drop')]), []);
    await eventually(async () => {
      clock.pass(3n * NS_PER_S);
      await sendAll();
      return outbox.status().waitingSamples === 0;
    }, 'they are gone');
    assert.deepEqual(sent, []);
  });

  it('waits twice as long after each time, and four times as long as the last confirmation took', async () => {
    (await sendAll()).forEach(confirm);
    await sendAll();
    for (const waitS of [5n, 10n, 20n, 40n, 60n, 60n]) {
      clock.pass((waitS - 1n) * NS_PER_S);
      assert.deepEqual(await sendAll(), [], `within ${waitS} s`);
      clock.pass(NS_PER_S);
      assert.equal((await sendAll()).length > 0, true, `after ${waitS} s`);
    }
    clock.pass(3n * NS_PER_S);
    confirm(present(sent.at(-1)));
    await sendAll();
    clock.pass(11n * NS_PER_S);
    assert.deepEqual(await sendAll(), []);
    clock.pass(3n * NS_PER_S);
    assert.equal((await sendAll()).length > 0, true);
  });
});
