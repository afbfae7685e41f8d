import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { GapJson } from '../../../src/core/gap.js';
import { present } from '../../../src/core/present.js';
import { encodeDatagram } from '../../../src/sources/udp/datagram.js';
import { readKernelDrops } from '../../../src/sources/udp/kernel-drops.js';
import { sourceContract } from '../../../src/testing/source-contract.js';
import { Probe, idle, recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';
import { freePort } from '../../support/free-port.js';
import { KEY, Radio, senderOf, STANDING, talkingVehicles, udp } from './v2v-traffic.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';

sourceContract('The listener to vehicles', {
  healthy: async () => {
    const port = await freePort('udp4');
    const vehicles = talkingVehicles(port);
    return { source: await udp(`udp://127.0.0.1:${port}`), close: () => vehicles.close() };
  },
  damaged: async () => {
    const port = await freePort('udp4');
    const vehicles = talkingVehicles(port);
    const radio = new Radio(port);
    const timer = setInterval(() => void radio.send('no datagram').catch(() => undefined), 5);
    const close = async (): Promise<void> => {
      clearInterval(timer);
      await Promise.all([vehicles.close(), radio.close()]);
    };
    return { source: await udp(`udp://127.0.0.1:${port}`), close };
  },
});

interface Recorded {
  readonly vehicle: string;
  readonly session: string;
  readonly sequence: number;
  readonly order: string;
  readonly authenticated: boolean;
  readonly encoding: string;
  readonly state?: { readonly x: number };
}

describe('The listener to vehicles', function () {
  this.timeout(30_000);
  let folder = '';
  const close: (() => Promise<void>)[] = [];
  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-udp-'));
    await fs.writeFile(join(folder, 'key'), Buffer.concat([KEY, Buffer.from('\n')]), { mode: 0o600 });
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));
  afterEach(async () => {
    for (const end of close.splice(0).reverse()) await end();
  });

  /** A listener on a port of its own, and something to send to it with. */
  async function listening(query = '', log: LogLine[] = []): Promise<{ probe: Probe; radio: Radio }> {
    const port = await freePort('udp4');
    const source = await udp(`udp://127.0.0.1:${port}?stats=200ms${query}`);
    const probe = new Probe(source, { logger: recordingLogger(log) });
    const radio = new Radio(port);
    close.push(
      () => radio.close(),
      async () => {
        probe.abort();
        await probe.end();
      },
    );
    await eventually(() => probe.events.some((e) => e.kind === 'state' && e.state === 'open'), 'the socket');
    return { probe, radio };
  }

  const recorded = (probe: Probe, topic = '/car1/v2v/state'): Recorded[] =>
    probe.messages
      .filter(({ channel }) => channel.topic === topic)
      .map(({ data }) => JSON.parse(Buffer.from(data).toString()) as Recorded);
  const gapsOf = (probe: Probe): Omit<GapJson, 'id' | 'firstTime' | 'lastTime'>[] =>
    probe.events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));
  const counted = (probe: Probe, pattern: RegExp): number =>
    gapsOf(probe)
      .filter(({ detail = '' }) => pattern.test(detail))
      .reduce((sum, { count = 0 }) => sum + count, 0);

  it('records both encodings as JSON with sender, session, number and both times', async () => {
    const { probe, radio } = await listening();
    await radio.send(senderOf({ encoding: 'json' }).state(STANDING));
    await radio.send(senderOf({ vehicle: 'car2' }).fleet([{ vehicle: 'car1', ...STANDING, age_s: 0.2 }]));
    await eventually(() => probe.messages.length >= 2, 'both');
    const [first] = probe.messages;
    assert.ok(first);
    assert.equal(first.channel.encoding, 'json');
    assert.equal(first.channel.schema.encoding, 'jsonschema');
    const [state] = recorded(probe);
    assert.deepEqual(
      { ...state, sent: 0, received: 0, sender: '' },
      {
        ...{ vehicle: 'car1', session: 's1', sequence: 1, sent: 0, received: 0, sender: '' },
        ...{ encoding: 'json', authenticated: false, order: 'next', state: STANDING },
      },
    );
    assert.equal(recorded(probe, '/car2/v2v/fleet')[0]!.encoding, 'msgpack');
    assert.ok(first.publishedAt <= first.receivedAt + 1_000_000_000n);
  });

  it('counts what did not arrive once per number, and what came late is no loss', async () => {
    const { probe, radio } = await listening();
    const car = senderOf();
    const sent = Array.from({ length: 200 }, () => car.state(STANDING));
    const lost = new Set([10, 11, 12, 50]);
    const order = sent.map((_, i) => i).filter((i) => !lost.has(i));
    // One datagram is overtaken by five others.
    order.splice(35, 0, ...order.splice(30, 1));
    for (const i of order) await radio.send(sent[i]!);
    await eventually(() => counted(probe, /did not arrive/) >= 4, 'the loss');
    assert.equal(counted(probe, /did not arrive/), 4);
    assert.ok(gapsOf(probe).every(({ topic }) => topic === '/car1/v2v/state'));
    const numbers = recorded(probe);
    assert.equal(numbers.length, 196);
    assert.deepEqual(
      numbers.filter(({ order: how }) => how !== 'next').map(({ sequence, order: how }) => [sequence, how]),
      [[order[35]! + 1, 'reordered']],
    );
  });

  it('records a duplicate once and counts it in the link message', async () => {
    const { probe, radio } = await listening();
    const car = senderOf();
    for (let i = 0; i < 5; i++) {
      const bytes = car.state(STANDING);
      await radio.send(bytes);
      await radio.send(bytes);
    }
    const link = (): Record<string, unknown> | undefined =>
      recorded(probe, '/car1/v2v/link').at(-1) as Record<string, unknown> | undefined;
    await eventually(() => link()?.['duplicates'] === 5, 'the link message');
    assert.equal(recorded(probe).length, 5);
    assert.equal(present(link())['received'], 5);
    assert.equal(present(link())['lost'], 0);
    const latency = present(link())['latency_ms'] as { min: number; max: number };
    assert.ok(latency.min <= latency.max);
  });

  it('takes a restart of the sender for a restart, with or without a session', async () => {
    const { probe, radio } = await listening();
    for (const session of ['boot1', 'boot2', '', '']) {
      const car = senderOf({ session });
      for (let i = 0; i < 8; i++) await radio.send(car.state(STANDING));
    }
    await eventually(() => recorded(probe).length === 32, 'all');
    await eventually(() => recorded(probe, '/car1/v2v/link').length > 0, 'a link message');
    probe.abort();
    await probe.end();
    assert.deepEqual(gapsOf(probe), []);
    const link = recorded(probe, '/car1/v2v/link').at(-1) as unknown as Record<string, unknown>;
    assert.equal(link['restarts'], 3);
    assert.equal(link['conflict'], false);
  });

  it('reports two vehicles that use one name, and keeps the messages of both', async () => {
    const log: LogLine[] = [];
    const { probe, radio } = await listening('', log);
    const twins = [senderOf({ session: 'a' }), senderOf({ session: 'b' })];
    for (let i = 0; i < 10; i++) for (const twin of twins) await radio.send(twin.state(STANDING));
    await eventually(() => recorded(probe).length === 20, 'all');
    assert.ok(log.some(({ event }) => event === 'two vehicles with one name car1'));
    const conflicts = (): unknown[] =>
      recorded(probe, '/car1/v2v/link').filter((link) => (link as unknown as { conflict: boolean }).conflict);
    await eventually(() => conflicts().length > 0, 'the conflict in a link message');
    assert.equal(counted(probe, /./), 0);
  });

  it('counts malformed and oversized datagrams and logs them once', async () => {
    const log: LogLine[] = [];
    const { probe, radio } = await listening('&max_bytes=2000', log);
    const bad = ['', '{', '{}', 'null', '\u0000', '{"v2v":1,"kind":"state","vehicle":"../x","sequence":1}'];
    const deep = `{"v2v":1,"a":${'['.repeat(900)}${']'.repeat(900)}}`;
    for (const text of [...bad, deep]) await radio.send(text);
    const valid = { v2v: 1, kind: 'state', vehicle: 'car1', sequence: 1, sent_ns: '1', state: STANDING };
    const wrong: object[] = [
      { v2v: 2 },
      { kind: 'other' },
      { vehicle: 'x'.repeat(65) },
      { vehicle: 7 },
      { sequence: -1 },
      { sequence: 1.5 },
      { sequence: 1e300 },
      { sent_ns: '0' },
      { sent_ns: '9'.repeat(19) },
      { sent_ns: null },
      { state: { x: 1, y: 2, theta: 3 } },
      { state: { ...STANDING, v: 'fast' } },
      { state: { ...STANDING, further: { deep: 1 } } },
      { state: undefined, fleet: [STANDING] },
      { fleet: [] },
      { extra: 1 },
    ];
    for (const change of wrong) await radio.send(JSON.stringify({ ...valid, ...change }));
    const notFinite = { vehicle: 'car1', session: '', sequence: 1, sentNs: 1n } as const;
    await radio.send(
      encodeDatagram({ ...notFinite, body: { kind: 'state', state: { ...STANDING, x: NaN } } }, 'msgpack'),
    );
    await radio.send(Buffer.alloc(2_001, '{'));
    await radio.send(Buffer.alloc(60_000));
    await radio.send(JSON.stringify(valid));
    await eventually(() => recorded(probe).length === 1, 'the good one');
    const expected = bad.length + 1 + wrong.length + 1;
    await eventually(() => counted(probe, /malformed/) === expected, `${expected} malformed`);
    await eventually(() => counted(probe, /oversized/) === 2, 'two too large');
    assert.equal(log.filter(({ level }) => level === 'warn').length, 2, 'one line per kind of fault');
    assert.deepEqual(
      new Set(gapsOf(probe).map(({ reason }) => reason)),
      new Set(['invalid_message', 'message_too_large']),
    );
  });

  it('accepts with a key only what has its HMAC, once, and in time', async () => {
    const { probe, radio } = await listening(`&key_file=${join(folder, 'key')}&max_skew=5s`);
    const car = senderOf({ key: KEY });
    const genuine = [car.state(STANDING), car.state(STANDING), car.state(STANDING)];
    for (const bytes of genuine) await radio.send(bytes);
    await radio.send(senderOf().state(STANDING));
    await radio.send(senderOf({ key: Buffer.from('another key of some length') }).state(STANDING));
    const flipped = Uint8Array.from(genuine[0]!);
    flipped[flipped.length - 1]! ^= 1;
    await radio.send(flipped);
    // Captured and sent again, also from another address.
    for (const bytes of genuine) await radio.send(bytes);
    const elsewhere = new Radio(radio.port);
    close.push(() => elsewhere.close());
    for (const bytes of genuine) await elsewhere.send(bytes);
    const stale = {
      vehicle: 'car1',
      session: 'old',
      sequence: 1,
      sentNs: 1_700_000_000_000_000_000n,
    } as const;
    await radio.send(encodeDatagram({ ...stale, body: { kind: 'state', state: STANDING } }, 'json', KEY));
    await radio.send(senderOf({ key: KEY, session: '' }).state(STANDING));
    await eventually(() => counted(probe, /replayed/) === 6, 'the replayed ones');
    await eventually(() => counted(probe, /unauthenticated/) === 2, 'those without HMAC or session');
    await eventually(() => counted(probe, /forged/) === 2, 'the forged ones');
    await eventually(() => counted(probe, /outside time window/) === 1, 'the one from the past');
    assert.deepEqual(
      recorded(probe).map(({ sequence, authenticated }) => [sequence, authenticated]),
      [
        [1, true],
        [2, true],
        [3, true],
      ],
    );
  });

  it('keeps the number of vehicles bounded, for any number of invented names', async () => {
    const { probe, radio } = await listening('&max_vehicles=3');
    for (let i = 0; i < 40; i++) await radio.send(senderOf({ vehicle: `ghost${i}` }).state(STANDING));
    await eventually(() => counted(probe, /too many vehicles/) === 37, 'the refused ones');
    const ofVehicles = probe.channels.filter(({ encoding }) => encoding === 'json');
    assert.equal(new Set(ofVehicles.map(({ robot }) => robot)).size, 3);
  });

  it('survives a flood and still hears the others', async () => {
    const { probe, radio } = await listening();
    const junk = Buffer.alloc(1_000, 'x');
    const car = senderOf();
    for (let i = 0; i < 3_000; i++) {
      await radio.send(junk);
      if (i % 100 === 0) await radio.send(car.state(STANDING));
    }
    await eventually(() => recorded(probe).length + counted(probe, /did not arrive/) >= 29, 'the vehicle');
    probe.abort();
    await probe.end();
    assert.ok(counted(probe, /malformed/) > 0);
    assert.ok(gapsOf(probe).length < 100, 'gaps are added up');
  });

  it('reports the datagrams that the kernel dropped because they were not read in time', async function () {
    const { probe, radio } = await listening('&buffer_kb=8');
    const car = senderOf();
    // Without a pause in between: the listener of this very process cannot take any of them meanwhile.
    await Promise.all(Array.from({ length: 2_000 }, () => radio.send(car.state(STANDING))));
    let sent = 2_000;
    const more = async (): Promise<void> => {
      sent++;
      await radio.send(car.state(STANDING));
      await idle();
    };
    while (recorded(probe).at(-1)?.sequence !== sent) await more();
    const isTold = (): boolean => gapsOf(probe).some(({ detail = '' }) => /the kernel dropped/.test(detail));
    const drops = await readKernelDrops(fs, radio.port, 'udp4');
    if (drops === undefined || drops === 0) {
      return lacking(this, 'socket-drops', 'this kernel counts no drops of a socket, or dropped nothing');
    }
    await eventually(isTold, 'the drops');
    const isAccountedFor = (): boolean => recorded(probe).length + counted(probe, /did not arrive/) === sent;
    await eventually(isAccountedFor, 'all numbers');
    assert.ok(counted(probe, /did not arrive/) >= drops);
  });

  it('waits for a missing interface, and reports that', async () => {
    const source = await udp('udp://239.7.7.7:47777?iface=none0');
    const probe = new Probe(source);
    await eventually(() => probe.events.some((e) => e.kind === 'state' && e.state === 'waiting'), 'waiting');
    probe.abort();
    await probe.end();
    await idle();
  });

  it('refuses what can never work with every fault at once', async () => {
    for (const uri of [
      'udp://host:7000',
      'udp://239.1.1.1',
      'udp://[ff02::1:7000',
      'udp://1.2.3.4:0',
      'udp:x',
    ]) {
      await assert.rejects(udp(uri), (error) => isHoldfastError(error, 'SOURCE_UNKNOWN'), uri);
    }
    await assert.rejects(udp('udp://127.0.0.1:7000?max_bytes=1&buffer_kb=x&nonsense=1'), (error: unknown) => {
      assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
      for (const part of ['max_bytes', 'buffer_kb', 'nonsense'])
        assert.match(error.message, new RegExp(part));
      return true;
    });
    await fs.writeFile(join(folder, 'short'), 'short\n');
    for (const query of [
      'iface=lo',
      `key_file=${join(folder, 'none')}`,
      `key_file=${join(folder, 'short')}`,
    ]) {
      await assert.rejects(
        udp(`udp://127.0.0.1:7000?${query}`),
        (error) => isHoldfastError(error, 'CONFIG_INVALID'),
        query,
      );
    }
  });
});
