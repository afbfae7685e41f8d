import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { present } from '../../src/core/present.js';
import { Random } from '../../src/core/random.js';
import { parseAlternative } from '../../src/core/send-policy/condition.js';
import type { Fact, NetworkFacts } from '../../src/core/send-policy/facts.js';
import type { PassClass } from '../../src/core/send-policy/send-class.js';
import type { SyncEngine } from '../../src/sync/sync-engine.js';
import { eventually } from '../../src/testing/waiting.js';
import { MemoryStore } from '../support/memory-store.js';
import { PolicyModel } from './policy-model.js';
import { noLock } from './crash-disk.js';
import { KIB, SetClock, SyncWorld } from './sync-world.js';

const HOURS = 720;
const PART = 4 * KIB;
const HOUR_NS = 3_600_000_000_000n;
const BEGIN = BigInt(Date.parse('2026-11-01T00:00:00Z')) * 1_000_000n;

/** One hour of the month; undefined: not known. */
interface Hour {
  readonly link: string | undefined;
  readonly ssid: string | undefined;
  readonly metered: boolean | undefined;
  readonly mbit: number | undefined;
  readonly hourOfDay: number;
}

interface Policy {
  readonly when: readonly string[];
  readonly budget: number;
  readonly pass: readonly PassClass[];
  readonly isMet: (hour: Hour) => boolean;
}

const policies: readonly Policy[] = [
  { when: [], budget: 25 * KIB, pass: ['high'], isMet: () => true },
  {
    when: ['interface=wlan0 metered=no', 'hours=22:00-05:00'],
    ...{ budget: 40 * KIB, pass: ['high'] },
    isMet: ({ link, metered, hourOfDay }) =>
      (link === 'wlan0' && metered === false) || hourOfDay >= 22 || hourOfDay < 5,
  },
  {
    when: ['ssid=Depot', 'link_rate=100Mbit'],
    ...{ budget: 18 * KIB, pass: [] },
    isMet: ({ ssid, mbit }) => ssid === 'Depot' || (mbit ?? 0) >= 100,
  },
];

/** A month of links, seals, clock jumps and restarts, for the engine and for the model. */
class Month implements AsyncDisposable {
  readonly #random: Random;
  readonly #policy: Policy;
  readonly #world: SyncWorld;
  readonly #store = new MemoryStore();
  readonly #clock = new SetClock(BEGIN);
  readonly #model: PolicyModel;
  #facts!: NetworkFacts;
  #reads = 0;
  #engine!: SyncEngine;

  constructor(seed: number, policy: Policy, world: SyncWorld) {
    this.#random = new Random(seed);
    this.#policy = policy;
    this.#world = world;
    this.#model = new PolicyModel(policy.budget);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.close();
  }

  async open(): Promise<void> {
    const { when, budget, pass } = this.#policy;
    this.#engine = await this.#world.open(this.#store, {
      ...{ clock: this.#clock, acquireLock: noLock },
      network: {
        read: () => {
          this.#reads++;
          return Promise.resolve(this.#facts);
        },
      },
      options: {
        when: when.map((text) => present(parseAlternative(text))),
        ...{ budgetBytesPerDay: budget, pass, timeZone: 'UTC', conditionPollMs: 5, partBytes: PART },
        // One after the other, as the model does.
        ...{ segmentsInFlight: 1, uploadsInFlight: 1, partsInFlight: 1, scrubPerHour: 0, requestPollMs: 0 },
      },
    });
    void this.#engine.run(new AbortController().signal);
  }

  /** Lets one hour begin, and compares once both have sent what they may. */
  async hour(number: number): Promise<void> {
    const hour = this.#draw();
    if (number === 0) await this.open();
    else if (this.#random.unit() < 0.02) {
      await this.#engine.close();
      await this.open();
    }
    for (let n = Math.floor(this.#random.unit() * 2.4); n > 0; n--) await this.#seal();
    const day = new Date(Number(this.#clock.wall / 1_000_000n)).toISOString().slice(0, 10);
    this.#model.settle(day, this.#policy.isMet(hour));
    // Until it has sent what it may; then it must not send more.
    await eventually(
      () => this.#isSettled() && isDeepStrictEqual(this.#engineState(day), this.#modelState(day)),
      '',
    ).catch(() => undefined);
    assert.deepEqual(this.#engineState(day), this.#modelState(day), `hour ${number}, engine and model`);
    const reads = this.#reads;
    const needsFacts = this.#policy.when.length > 0;
    await eventually(() => (!needsFacts || this.#reads >= reads + 2) && this.#isSettled(), `hour ${number}`);
    assert.deepEqual(this.#engineState(day), this.#modelState(day), `hour ${number}, a moment later`);
  }

  #draw(): Hour {
    const { link: _none, ...none } = { link: '', ssid: undefined, metered: undefined, mbit: undefined };
    const kind = Math.floor(this.#random.unit() * 5);
    const isKnown = this.#random.unit() > 0.2;
    const jump = this.#random.unit() < 0.02 ? Math.round(this.#random.between(-30, 30)) : 0;
    this.#clock.wall += HOUR_NS + BigInt(jump) * HOUR_NS;
    const hourOfDay = Number((this.#clock.wall / HOUR_NS) % 24n);
    const links: readonly Omit<Hour, 'hourOfDay'>[] = [
      { link: undefined, ...none },
      { link: '', ...none },
      { link: 'eth0', ssid: '', metered: isKnown ? false : undefined, mbit: isKnown ? 1000 : 10 },
      { link: 'wlan0', ssid: isKnown ? 'Depot' : 'Hotel', metered: isKnown ? false : undefined, mbit: 54 },
      { link: 'wwan0', ssid: '', metered: isKnown ? true : undefined, mbit: undefined },
    ];
    const hour = { ...present(links[kind]), hourOfDay };
    const fact = <T>(value: T | undefined): Fact<T> => (value === undefined ? { unknown: 'no' } : { value });
    this.#facts = {
      interface: fact(hour.link),
      ssid: fact(hour.ssid),
      metered: fact(hour.metered),
      linkBitsPerS: fact(hour.mbit === undefined ? undefined : hour.mbit * 1e6),
    };
    return hour;
  }

  async #seal(): Promise<void> {
    const bytes = 1 + Math.floor(this.#random.unit() * 14 * KIB);
    const isHigh = this.#random.unit() < 0.15;
    const { name } = await this.#world.seal(bytes, { priority: isHigh ? 'high' : 'normal' });
    this.#model.add(name, bytes, PART, isHigh && this.#policy.pass.includes('high'));
  }

  /** Everything is known to the engine, and what is pending waits for the policy. */
  #isSettled(): boolean {
    const { segments, isSyncing, sendPolicy } = this.#engine.status();
    if (isSyncing || segments.pending + segments.verified !== this.#world.sealed.length) return false;
    return segments.pending === 0 || sendPolicy?.waiting.segments === segments.pending;
  }

  #engineState(day: string): SendState {
    const { objects, uploads } = this.#store.content;
    const stored = this.#world.sealed.filter(({ manifest }) => objects.has(manifest.key));
    return {
      stored: stored.map(({ name }) => name),
      begunParts: [...uploads.values()].reduce((sum, upload) => sum + upload.parts.size, 0),
      spentBytes: { [day]: this.#engine.status().sendPolicy?.spentBytes },
    };
  }

  #modelState(day: string): SendState {
    const { done, unsent, spent } = this.#model;
    const sizes = new Map(this.#world.sealed.map(({ name, data }) => [name, Math.ceil(data.length / PART)]));
    return {
      stored: this.#world.sealed.map(({ name }) => name).filter((name) => done.has(name)),
      begunParts: unsent.reduce((sum, { name, parts }) => sum + present(sizes.get(name)) - parts.length, 0),
      spentBytes: { [day]: spent.get(day) ?? 0 },
    };
  }
}

/** What was sent. */
interface SendState {
  readonly stored: readonly string[];
  /** Parts of segments that are not whole. */
  readonly begunParts: number;
  /** Of the day. */
  readonly spentBytes: Readonly<Record<string, number | undefined>>;
}

describe('the send policy over a month of links', function () {
  this.timeout(240_000);
  for (const [index, policy] of policies.entries()) {
    const { when, budget } = policy;
    const words = `${when.length === 0 ? 'no condition' : when.join(' or ')}, ${budget} bytes a day`;
    it(`sends in each hour what the model of it sends: ${words}`, async () => {
      await using world = await SyncWorld.create();
      await using month = new Month(index + 1, policy, world);
      for (let hour = 0; hour < HOURS; hour++) await month.hour(hour);
    });
  }
});
