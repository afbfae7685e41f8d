import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { Outbox, type Waiting } from '../../../src/uplink/robot/outbox.js';
import { field } from '../protocol/uplink-world.js';

const ports = { fs, clock: systemClock, logger: silentLogger, random: randomBytes };
const RUN = 2n ** 64n - 5n;
const MIB = 1024 * 1024;

describe('The outbox', () => {
  let folder: string;
  let outbox: Outbox;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-outbox-'));
    outbox = await Outbox.open(join(folder, 'one'), RUN, MIB, ports);
  });
  afterEach(async () => {
    await outbox[Symbol.asyncDispose]();
    await fs.rm(folder, { recursive: true, force: true });
  });

  const timeOf = (tick: number): bigint => 1_796_000_000_000_000_000n + BigInt(tick) * 100_000_000n;
  const append = (ticks: readonly number[], to = outbox, width = 1): void => {
    for (const tick of ticks)
      to.append(
        tick,
        timeOf(tick),
        Float64Array.from({ length: width }, (_, i) => tick + i),
      );
  };
  const range = (from: number, to: number): readonly number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);
  const read = (from = outbox, after = 's', beforeTick = Infinity): Promise<Waiting | undefined> =>
    from.read(after, beforeTick, MIB, 10_000);
  const ticksOf = (found: Waiting | undefined): readonly number[] =>
    (found?.samples ?? []).map(({ tick }) => tick);

  it('returns samples with their fields, oldest first, and no tick that is not asked for', async () => {
    outbox.fields([field({})], 100_000_000);
    append(range(0, 20));
    const found = present(await read(outbox, 's', 12));
    assert.deepEqual(ticksOf(found), range(0, 12));
    assert.deepEqual(found.samples[3], { tick: 3, timeNs: timeOf(3), values: [3] });
    assert.deepEqual([found.run, found.catalogue.fields], [RUN, [field({})]]);
    assert.deepEqual(ticksOf(await read(outbox, found.end)), range(12, 20));
    assert.equal(outbox.status().waitingSamples, 20);
  });

  it('begins a new batch where the fields change', async () => {
    outbox.fields([field({})], 100_000_000);
    append(range(0, 5));
    outbox.fields([field({}), field({ path: 'w' })], 100_000_000);
    append(range(5, 8), outbox, 2);
    const first = present(await read());
    const second = present(await read(outbox, first.end));
    assert.deepEqual([ticksOf(first), ticksOf(second)], [range(0, 5), range(5, 8)]);
    assert.deepEqual([first.catalogue.fields.length, second.catalogue.fields.length], [1, 2]);
  });

  it('forgets what is confirmed, and nothing else', async () => {
    outbox.fields([field({})], 100_000_000);
    append(range(0, 10));
    await outbox.remove(RUN, 3, 4);
    await outbox.remove(RUN - 1n, 0, 100);
    assert.deepEqual(ticksOf(await read()), [0, 1, 2, 7, 8, 9]);
    assert.equal(outbox.status().waitingSamples, 6);
  });

  it('holds everything after a kill, before the samples of the next run', async () => {
    outbox.fields([field({})], 100_000_000);
    append(range(0, 10));
    await read();
    await outbox.remove(RUN, 0, 2);
    await fs.cp(join(folder, 'one'), join(folder, 'killed'), { recursive: true });
    await using next = await Outbox.open(join(folder, 'killed'), 7n, MIB, ports);
    next.fields([field({})], 100_000_000);
    append([0, 1], next);
    const old = present(await read(next));
    assert.deepEqual([old.run, ticksOf(old)], [RUN, range(2, 10)]);
    const own = present(await read(next, old.end));
    assert.deepEqual([own.run, ticksOf(own)], [7n, [0, 1]]);
    assert.equal(next.status().waitingSamples, 10);
    await next.remove(RUN, 2, 8);
    assert.deepEqual(ticksOf(await read(next)), [0, 1]);
  });

  describe('with keys', () => {
    const keys = [randomBytes(32)];
    const secret = field({ path: 'the_name_of_a_field' });
    const at = (name: string): string => join(folder, name);
    const open = (name: string, run: bigint, given: readonly Uint8Array[]): Promise<Outbox> =>
      Outbox.open(at(name), run, MIB, { ...ports, keys: given });
    /** A sample whose bytes are known, so that they can be looked for. */
    const value = 1234.5678;
    const bytesOf = (): Buffer => Buffer.from(new Float64Array([value]).buffer);
    async function foundIn(name: string): Promise<string[]> {
      const files = await fs.readdir(at(name));
      const all = Buffer.concat(await Promise.all(files.map((file) => fs.readFile(join(at(name), file)))));
      return [...(all.includes(secret.path) ? ['name'] : []), ...(all.includes(bytesOf()) ? ['value'] : [])];
    }
    async function fill(into: Outbox): Promise<void> {
      into.fields([secret], 100_000_000);
      into.append(0, timeOf(0), Float64Array.of(value));
      await read(into);
    }

    it('shows neither values nor names of fields in its files, and gives them back after a kill', async () => {
      await using plain = await open('plain', 5n, []);
      await fill(plain);
      assert.deepEqual(await foundIn('plain'), ['name', 'value'], 'the search finds them in a plain outbox');
      await using encrypted = await open('encrypted', 5n, keys);
      await fill(encrypted);
      assert.deepEqual(await foundIn('encrypted'), []);
      await fs.cp(at('encrypted'), at('killed'), { recursive: true });
      await using next = await open('killed', 7n, [randomBytes(32), ...keys]);
      await fill(next);
      const old = present(await read(next));
      assert.deepEqual([old.run, old.samples[0]?.values, old.catalogue.fields], [5n, [value], [secret]]);
      const own = present(await read(next, old.end));
      assert.deepEqual([own.run, own.samples[0]?.values], [7n, [value]]);
      assert.deepEqual(await foundIn('killed'), []);
    });

    it('reads what was kept before it had keys', async () => {
      const before = await open('mixed', 5n, []);
      await fill(before);
      await before[Symbol.asyncDispose]();
      await using next = await open('mixed', 7n, keys);
      assert.deepEqual(present(await read(next)).samples[0]?.values, [value]);
    });

    it('is left as it is without its key, with an error that names it', async () => {
      const before = await open('kept', 5n, keys);
      await fill(before);
      await before[Symbol.asyncDispose]();
      for (const given of [[], [randomBytes(32)]]) {
        await assert.rejects(open('kept', 7n, given), { code: 'IDENTITY_MISSING', message: /outbox.*key:/ });
      }
      await using next = await open('kept', 8n, keys);
      assert.equal(next.status().waitingSamples, 1);
    });
  });

  it('removes the oldest when it is full, and counts them', async () => {
    outbox.fields([field({})], 100_000_000);
    for (let from = 0; from < 40_000; from += 2_000) {
      append(range(from, from + 2_000));
      await read();
    }
    const { waitingBytes, waitingSamples, lostSamples } = outbox.status();
    assert.ok(waitingBytes <= MIB, `${waitingBytes}`);
    assert.ok(waitingBytes > 0.9 * MIB, `${waitingBytes}`);
    assert.equal(waitingSamples + lostSamples, 40_000);
    const [oldest] = ticksOf(await outbox.read('s', Infinity, 1, 1));
    assert.equal(oldest, lostSamples);
  });

  it('tells which samples it removed, after a kill too, until exactly these are confirmed', async () => {
    outbox.fields([field({})], 100_000_000);
    for (let from = 0; from < 40_000; from += 2_000) {
      append(range(from, from + 2_000));
      await read();
    }
    const { lostSamples } = outbox.status();
    const catalogue = { version: 1, tickNs: 100_000_000, fields: [field({})] };
    const told = {
      kind: 'removed',
      run: RUN,
      catalogue,
      firstTick: 0,
      ticks: lostSamples,
      timeNs: timeOf(0),
    };
    assert.deepEqual(await outbox.removed(10), [told]);
    await fs.cp(join(folder, 'one'), join(folder, 'killed'), { recursive: true });
    await using next = await Outbox.open(join(folder, 'killed'), 7n, MIB, ports);
    assert.deepEqual(await next.removed(10), [told]);
    // It has grown since, or belongs to another run.
    await next.remove(RUN, 0, lostSamples - 1);
    await next.remove(7n, 0, lostSamples);
    assert.deepEqual(await next.removed(10), [told]);
    await next.remove(RUN, 0, lostSamples);
    assert.deepEqual(await next.removed(10), []);
    await next[Symbol.asyncDispose]();
    await using last = await Outbox.open(join(folder, 'killed'), 8n, MIB, ports);
    assert.deepEqual(await last.removed(10), []);
    assert.equal(last.status().waitingSamples, 40_000 - lostSamples);
  });

  it('tells what it removed in pieces if the clock jumped or the fields changed', async () => {
    outbox.fields([field({})], 100_000_000);
    append(range(0, 5_000));
    await read();
    const jumped = Float64Array.of(1);
    for (const tick of range(5_000, 10_000)) outbox.append(tick, timeOf(tick) + 3_600_000_000_000n, jumped);
    await read();
    outbox.fields([field({}), field({ path: 'w' })], 100_000_000);
    for (let from = 10_000; from < 60_000; from += 2_000) {
      append(range(from, from + 2_000), outbox, 2);
      await read();
    }
    const pieces = await outbox.removed(10);
    const { lostSamples } = outbox.status();
    assert.deepEqual(
      pieces.map(({ firstTick, ticks, timeNs, catalogue }) => [
        firstTick,
        ticks,
        timeNs,
        catalogue.fields.length,
      ]),
      [
        [0, 5_000, timeOf(0), 1],
        [5_000, 5_000, timeOf(5_000) + 3_600_000_000_000n, 1],
        [10_000, lostSamples - 10_000, timeOf(10_000), 2],
      ],
    );
  });

  it('starts empty if its files are damaged', async () => {
    outbox.fields([field({})], 100_000_000);
    append(range(0, 10));
    await outbox[Symbol.asyncDispose]();
    await fs.rm(join(folder, 'one', 'CURRENT'));
    await fs.writeFile(join(folder, 'one', 'CURRENT'), 'nonsense');
    outbox = await Outbox.open(join(folder, 'one'), 8n, MIB, ports);
    assert.equal(await read(), undefined);
    assert.equal(outbox.status().waitingSamples, 0);
  });
});
