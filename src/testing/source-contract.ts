import assert from 'node:assert/strict';
import { errorCatalogue, type ErrorCode } from '../core/error-catalogue.js';
import { isHoldfastError } from '../core/errors.js';
import { gapReasons } from '../core/gap.js';
import { channelKey, type Message } from '../core/message.js';
import type { Source } from '../core/source.js';
import { Probe, firstSegment, idle, openHandles } from './source-probe.js';
import { systemClock } from '../host/system-clock.js';
import { lacking } from './lacking.js';
import { eventually } from './waiting.js';

/** One source under test, with its clean-up. */
export interface SourceFixture {
  /** Not opened yet. */
  readonly source: Source;
  /** How many messages one complete reading gives, if that is known. */
  readonly messageCount?: number;
  /** Stops servers and removes files. */
  close?(): Promise<void>;
}

/** A source that can never work. */
export interface HopelessFixture extends SourceFixture {
  /** The code of the error it ends with. */
  readonly code: ErrorCode;
}

/** Creates the sources for the suite. */
export interface SourceFactory {
  /**
   * A source with at least {@link ENOUGH} messages on at least two topics; finite if the adapter supports
   * that.
   */
  healthy(): Promise<SourceFixture>;
  /**
   * A source that meets something unreadable (a message or a channel) and has good messages after or around
   * it. Absent: not tested.
   */
  damaged?: () => Promise<SourceFixture>;
  /** A source that can never work and errors with this code. Absent: not tested. */
  hopeless?: () => Promise<HopelessFixture>;
}

/** Minimum number of messages of a healthy fixture. */
export const ENOUGH = 40;

/**
 * Defines the contract suite of source adapters with mocha; call it once per adapter.
 *
 * @param name - Of the adapter, for the name of the suite.
 * @param factory - Creates a source for one test; the suite closes it.
 */
export function sourceContract(name: string, factory: SourceFactory): void {
  describe(`${name} keeps the source contract`, function () {
    this.timeout(30_000);
    const close: (() => Promise<void>)[] = [];
    const take = async <T extends SourceFixture>(made: Promise<T>): Promise<T> => {
      const fixture = await made;
      close.push(async () => fixture.close?.());
      return fixture;
    };
    afterEach(async () => {
      for (const end of close.splice(0).reverse()) await end();
    });

    /** All events of a finite source; the first messages of an endless one. */
    async function read(
      source: Source,
      options: ConstructorParameters<typeof Probe>[1] = {},
    ): Promise<Probe> {
      const probe = new Probe(source, options);
      if (source.supports.finite) return probe.end();
      await eventually(() => probe.messages.length >= ENOUGH || probe.ended, `${ENOUGH} messages`);
      probe.abort();
      return probe.end();
    }

    it('gives whole messages with owned bytes and times', async () => {
      const { source, messageCount } = await take(factory.healthy());
      const copies: Uint8Array[] = [];
      const probe = await read(source, {
        onEvent: (event) => {
          if (event.kind === 'message') copies.push(Uint8Array.from(event.data));
        },
      });
      const { messages } = probe;
      assert.ok(messages.length >= ENOUGH, `only ${messages.length} messages`);
      if (messageCount !== undefined && source.supports.finite) assert.equal(messages.length, messageCount);
      messages.forEach((message, i) => {
        assert.deepEqual(Buffer.from(message.data), Buffer.from(copies[i]!), 'bytes changed after emission');
        assert.ok(message.receivedAt > 0n && message.publishedAt > 0n);
      });
      assertNoOverlap(messages);
    });

    it('announces a channel before its messages and refers to that very object', async () => {
      const { source } = await take(factory.healthy());
      const probe = await read(source);
      const announced = new Map<string, object>();
      for (const event of probe.events) {
        if (event.kind === 'channel') announced.set(channelKey(event.channel), event.channel);
        if (event.kind === 'message') {
          assert.equal(announced.get(channelKey(event.channel)), event.channel, event.channel.topic);
        }
      }
      assert.ok(announced.size >= 2, 'a healthy fixture has at least two channels');
      for (const channel of announced.values()) assert.ok(Object.isFrozen(channel), 'channels are frozen');
    });

    it('gives equal channels equal keys at every opening', async () => {
      const first = await take(factory.healthy());
      const second = await take(factory.healthy());
      const keysOf = async (source: Source) =>
        [...new Set((await read(source)).channels.map(channelKey))].sort();
      assert.deepEqual(await keysOf(first.source), await keysOf(second.source));
    });

    it('asks robotOf whose a topic is', async () => {
      const { source } = await take(factory.healthy());
      const { channels } = await read(source, { robotOf: (topic) => `<${topic}>` });
      for (const channel of channels) assert.equal(channel.robot, `<${channel.topic}>`);
    });

    it('leaves out what is not wanted', async () => {
      const all = await read((await take(factory.healthy())).source);
      const topics = [...new Set(all.messages.map((message) => message.channel.topic))];
      const unwanted = topics[0]!;
      const { source } = await take(factory.healthy());
      const probe = new Probe(source, {
        wanted: (topic, type) => topic !== unwanted && typeof type === 'string',
      });
      await eventually(() => probe.messages.length > 0 || probe.ended, 'a wanted message');
      if (!source.supports.finite) probe.abort();
      await probe.end();
      assert.ok(probe.messages.length > 0);
      assert.ok(probe.messages.every((message) => message.channel.topic !== unwanted));
    });

    it('completes soon after the signal, even when nobody takes its messages', async () => {
      const { source } = await take(factory.healthy());
      let asked = 0;
      const never = new Promise<void>(() => {});
      const probe = new Probe(source, { flow: { whenReady: () => (++asked > 5 ? never : undefined) } });
      await eventually(() => probe.messages.length >= 3 || probe.ended, 'the first messages');
      probe.abort();
      await eventually(() => probe.ended, 'the end after abort', 5_000);
      assert.equal(probe.error, undefined);
      const count = probe.events.length;
      await idle();
      assert.equal(probe.events.length, count, 'events after completion');
    });

    it('completes at once when the signal was already given', async () => {
      const { source } = await take(factory.healthy());
      const probe = new Probe(source, { signal: AbortSignal.abort() });
      await eventually(() => probe.ended, 'the end', 5_000);
      assert.equal(probe.error, undefined);
      assert.equal(probe.messages.length, 0);
    });

    it('releases everything when unsubscribed', async () => {
      const { source } = await take(factory.healthy());
      await read((await take(factory.healthy())).source);
      await idle();
      const before = openHandles();
      let asked = 0;
      const clock = { ...systemClock, monotonic: () => (asked++, systemClock.monotonic()) };
      const probe = new Probe(source, {
        clock,
        flow: {
          whenReady: () => {
            asked++;
            return undefined;
          },
        },
      });
      await eventually(() => probe.messages.length >= 3 || probe.ended, 'the first messages');
      probe.unsubscribe();
      const count = probe.events.length;
      const isFree = (): boolean => openHandles().length <= before.length;
      await eventually(isFree, `handles to be released: ${before.join()} before`);
      await idle();
      assert.equal(probe.events.length, count, 'events after unsubscribing');
      const asks = asked;
      await idle();
      assert.equal(asked, asks, 'it still works for nobody');
    });

    it('may be unsubscribed from inside a message', async () => {
      const { source } = await take(factory.healthy());
      const probe = new Probe(source, {
        onEvent: (event, self) => {
          if (event.kind === 'message') self.unsubscribe();
        },
      });
      await eventually(() => probe.messages.length >= 1 || probe.ended, 'a message');
      await idle();
      assert.equal(probe.error, undefined);
    });

    it('waits on request, and then loses nothing (if it supports backpressure)', async function () {
      const { source } = await take(factory.healthy());
      if (!source.supports.backpressure) {
        skipWith(this, source, 'cannot wait');
        return;
      }
      const reference = await read((await take(factory.healthy())).source);
      const gate = new Gate();
      let count = 0;
      const probe = new Probe(source, {
        flow: { whenReady: () => (count >= 10 ? gate.whenOpen() : undefined) },
        onEvent: (event) => {
          if (event.kind === 'message') count++;
        },
      });
      await eventually(() => probe.messages.length >= 10 || probe.ended, 'ten messages');
      await idle(60);
      assert.equal(probe.messages.length, 10, 'went on although told to wait');
      gate.open();
      if (!source.supports.finite) {
        await eventually(() => probe.messages.length >= ENOUGH, 'the rest');
        probe.abort();
      }
      await probe.end();
      assertUnbroken(probe.messages);
      if (source.supports.finite) assert.equal(probe.messages.length, reference.messages.length);
    });

    it('numbers the messages of a channel without a break (where it numbers them)', async function () {
      const { source } = await take(factory.healthy());
      if (!source.supports.sequences) {
        skipWith(this, source, 'does not number its messages');
        return;
      }
      const { messages } = await read(source);
      for (const message of messages) assert.ok(Number.isSafeInteger(message.sourceSequence));
      assertIncreasing(messages);
    });

    const { damaged, hopeless } = factory;

    if (damaged !== undefined)
      it('makes a gap of what it cannot read, and continues', async () => {
        const { source } = await take(damaged());
        const probe = new Probe(source);
        const gaps = () => probe.events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));
        await eventually(() => probe.ended || (gaps().length > 0 && probe.messages.length > 0), 'a gap');
        if (!source.supports.finite) probe.abort();
        await probe.end();
        assert.ok(probe.messages.length > 0, 'the good messages are there');
        assert.ok(gaps().length > 0, 'a gap says what is not');
        for (const gap of gaps()) {
          assert.ok(gapReasons.includes(gap.reason));
          assert.equal(typeof gap.robot, 'string');
          if (gap.topic !== undefined && gap.robot !== '') assert.equal(gap.robot, firstSegment(gap.topic));
          if (gap.firstTime !== undefined && gap.lastTime !== undefined) {
            assert.ok(gap.firstTime <= gap.lastTime);
          }
        }
      });

    if (hopeless !== undefined)
      it('errors with a documented code when it can never work', async () => {
        const { source, code } = await take(hopeless());
        const probe = new Probe(source);
        await eventually(() => probe.ended, 'the error');
        assert.ok(isHoldfastError(probe.error, code), `expected ${code}, got ${String(probe.error)}`);
        assert.ok(code in errorCatalogue);
      });

    it('names itself without credentials', async () => {
      const { source } = await take(factory.healthy());
      assert.match(source.uri, /^[a-z]+:/);
      assert.doesNotMatch(source.uri, /\/\/[^/]*:[^/]*@/);
    });
  });
}

function skipWith(test: Mocha.Context, { uri }: Source, why: string): void {
  lacking(test, 'capability', `${uri} ${why}`);
}

class Gate {
  #isOpen = false;
  #open = (): void => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  whenOpen(): Promise<void> | undefined {
    return this.#isOpen ? undefined : this.#opened;
  }

  open(): void {
    this.#isOpen = true;
    this.#open();
  }
}

/** Overwriting any one message must not change the others. */
function assertNoOverlap(messages: readonly Message[]): void {
  const views = messages
    .filter((message) => message.data.byteLength > 0)
    .map(({ data }) => ({
      buffer: data.buffer,
      from: data.byteOffset,
      to: data.byteOffset + data.byteLength,
    }));
  const byBuffer = new Map<ArrayBufferLike, { from: number; to: number }[]>();
  for (const view of views) {
    const others = byBuffer.get(view.buffer) ?? [];
    byBuffer.set(view.buffer, [...others, view]);
  }
  for (const parts of byBuffer.values()) {
    parts.sort((a, b) => a.from - b.from);
    for (let i = 1; i < parts.length; i++) {
      assert.ok(parts[i]!.from >= parts[i - 1]!.to, 'two messages share bytes');
    }
  }
}

function bySequence(messages: readonly Message[]): Map<string, number[]> {
  const numbers = new Map<string, number[]>();
  for (const { channel, sourceSequence } of messages) {
    // Numbers that only identify messages may skip, and come in any order.
    if (sourceSequence === undefined || channel.numberedIn !== undefined) continue;
    const key = channelKey(channel);
    const list = numbers.get(key);
    if (list === undefined) numbers.set(key, [sourceSequence]);
    else list.push(sourceSequence);
  }
  return numbers;
}

function assertIncreasing(messages: readonly Message[]): void {
  for (const [key, list] of bySequence(messages)) {
    for (let i = 1; i < list.length; i++) {
      assert.ok(list[i]! > list[i - 1]!, `${key}: ${list[i - 1]} then ${list[i]}`);
    }
  }
}

function assertUnbroken(messages: readonly Message[]): void {
  for (const [key, list] of bySequence(messages)) {
    for (let i = 1; i < list.length; i++) assert.equal(list[i], list[i - 1]! + 1, `${key} has a hole`);
  }
}
