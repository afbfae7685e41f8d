import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiscardPolicy, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { credsAuthenticator, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { Gap } from '../../../src/core/gap.js';
import type { Message } from '../../../src/core/message.js';
import { parseGenericEvent } from '../../../src/core/generic-event.js';
import { present } from '../../../src/core/present.js';
import type { Source } from '../../../src/core/source.js';
import { openSource } from '../../../src/sources/open-source.js';
import { makeAccount } from '../../support/nats-accounts.js';
import { NatsServer, event, publishAll } from '../../support/nats.js';
import { ENOUGH, sourceContract, type SourceFixture } from '../../../src/testing/source-contract.js';
import { Probe, idle, type ProbeOptions } from '../../../src/testing/source-probe.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';

const open = (uri: string): Promise<Source> => openSource(uri, { fs });
const PATIENCE_MS = 30_000;

let durables = 0;

describe('The NATS source', function () {
  this.timeout(90_000);
  let server: NatsServer;
  let connection: NatsConnection;
  let manager: JetStreamManager;
  const probes: Probe[] = [];
  before(async () => {
    server = await NatsServer.start();
    connection = await server.connect();
    manager = await jetstreamManager(connection);
  });
  afterEach(() => probes.splice(0).forEach((probe) => probe.unsubscribe()));
  // It does not exist after a failed start.
  after(() => (server as NatsServer | undefined)?.stop());

  const uriOf = (stream: string, durable: string, options = '', of = server): string =>
    `nats://${of.address}?stream=${stream}&durable=${durable}${options}`;

  async function probe(uri: string, options: ProbeOptions = {}): Promise<Probe> {
    const made = new Probe(await open(uri), { robotOf: () => 'robot1', ...options });
    probes.push(made);
    return made;
  }

  /** Acknowledges every message as a recorder whose commits take no time. */
  const committing: ProbeOptions = {
    onEvent: (one) => {
      if (one.kind === 'message') one.ack?.();
    },
  };

  const numbersOf = (messages: readonly Message[]): number[] =>
    messages.map(({ data }) => {
      const parsed = parseGenericEvent(data);
      return typeof parsed === 'string' ? -1 : Number(Buffer.from(parsed.eventPayload).toString());
    });

  const gapsOf = ({ events }: Probe): Omit<Gap, 'id'>[] =>
    events.flatMap((one) => (one.kind === 'gap' ? [one.gap] : []));

  const statesOf = ({ events }: Probe): string[] =>
    events.flatMap((one) => (one.kind === 'state' ? [`${one.state} ${one.detail ?? ''}`] : []));

  const until = (check: () => boolean | Promise<boolean>, what: string): Promise<true> =>
    eventually(check, what, PATIENCE_MS);

  describe('against the contract', () => {
    before(async () => {
      await server.addStream({ name: 'CONTRACT', subjects: ['robots.>'] });
      for (let i = 0; i < ENOUGH; i++) {
        await publishAll(connection, `robots.${i % 2 ? 'a' : 'b'}`, [event(i)]);
      }
      await server.addStream({ name: 'BAD', subjects: ['bad'] });
      await server.addStream({ name: 'DEAD', subjects: ['logging.events.dead'] });
      await publishAll(connection, 'bad', [event(1), Buffer.from('{"no":"envelope"}'), event(2)]);
    });
    const fixture = async (stream: string): Promise<SourceFixture> => ({
      source: await open(uriOf(stream, `d${++durables}`)),
    });
    sourceContract('nats:', { healthy: () => fixture('CONTRACT'), damaged: () => fixture('BAD') });
  });

  it('keeps the envelope as it came, with the identity of the message', async () => {
    await server.addStream({ name: 'KEEP', subjects: ['keep.>'] });
    const strange = Buffer.concat([event(7), Buffer.from([0x9a, 0x06, 3, 1, 2, 3])]);
    await publishAll(connection, 'keep.a', [event(1), strange, event(3, { timestampNs: 0n })]);
    const { messages } = await reading('KEEP', '', 3);
    assert.deepEqual(Buffer.from(messages[1]!.data), strange);
    const created = (await manager.streams.info('KEEP')).created;
    const { channel, publishedAt } = messages[1]!;
    assert.deepEqual(channel.metadata, { nats_stream: 'KEEP', nats_stream_created: created });
    assert.match(created, /\.\d{7,9}Z$/);
    assert.deepEqual(
      [channel.topic, channel.encoding, channel.schema.name, publishedAt, channel.numberedIn],
      [
        'keep.a',
        'protobuf',
        'holdfast.GenericEventRequest',
        1_795_000_000_000_000_007n,
        `nats:KEEP@${created}`,
      ],
    );
    assert.deepEqual(
      messages.map((message) => message.sourceSequence),
      [1, 2, 3],
    );
    // Where the sender says no time, the server does.
    assert.ok(messages[2]!.publishedAt > 1_700_000_000_000_000_000n);
  });

  async function reading(stream: string, options: string, count: number): Promise<Probe> {
    const made = await probe(uriOf(stream, `d${++durables}`, options), committing);
    await until(() => made.messages.length >= count, `${count} messages of ${stream}`);
    return made;
  }

  it('acknowledges only committed messages, also after a request to end', async () => {
    await server.addStream({ name: 'ACK', subjects: ['ack'] });
    await publishAll(
      connection,
      'ack',
      [1, 2, 3, 4].map((n) => event(n)),
    );
    const made = await probe(uriOf('ACK', 'acker'));
    await until(() => made.messages.length === 4, 'four messages');
    present(made.messages[0]!.ack)();
    const unacknowledged = async (): Promise<number> =>
      (await manager.consumers.info('ACK', 'acker')).num_ack_pending;
    await until(async () => (await unacknowledged()) === 3, 'one acknowledgement');
    made.abort();
    await made.end();
    // The last commit comes after the source has ended.
    for (const message of made.messages.slice(1)) present(message.ack)();
    await until(async () => (await unacknowledged()) === 0, 'the last acknowledgements');
  });

  it('keeps what waits for its commit from being delivered again', async () => {
    await server.addStream({ name: 'SLOW', subjects: ['slow'] });
    await publishAll(connection, 'slow', [event(1), event(2)]);
    const made = await probe(uriOf('SLOW', 'slow', '&ack_wait=1s'));
    await until(() => made.messages.length === 2, 'two messages');
    await idle(3_000);
    assert.equal(made.messages.length, 2, 'delivered again while it was being worked on');
    made.unsubscribe();
    // Its process was killed: after ack_wait another gets them.
    const other = await probe(uriOf('SLOW', 'slow'), committing);
    await until(() => other.messages.length === 2, 'the redeliveries');
  });

  for (const how of ['abort', 'unsubscribe'] as const) {
    it(`gives back what arrives while it ends (${how}): the next reading waits for nothing`, async () => {
      const stream = `BACK_${how.toUpperCase()}`;
      await server.addStream({ name: stream, subjects: [`back.${how}`] });
      const numbers = Array.from({ length: 3_000 }, (_, index) => index);
      await publishAll(
        connection,
        `back.${how}`,
        numbers.map((n) => event(n)),
      );
      // Longer than the next reading is waited for.
      const uri = uriOf(stream, how, '&ack_wait=120s');
      const first = await probe(uri, {
        onEvent: (one, { messages }) => {
          if (one.kind !== 'message') return;
          one.ack?.();
          if (messages.length === 1) setImmediate(() => first[how]());
        },
      });
      await until(() => first.ended || how === 'unsubscribe', 'the end');
      const again = await probe(uri, committing);
      const seen = (): Set<number> => new Set(numbersOf([...first.messages, ...again.messages]));
      // nats-server 2.9.10 keeps the first one that is given back while nobody asks for it until ack_wait is over.
      await until(() => seen().size >= numbers.length - 1, 'every message');
      assert.ok(again.messages.length > 0, 'it ended in the middle');
    });
  }

  it('requests by bytes: its memory is bounded for messages of any size, and 1 MB passes whole', async () => {
    await server.addStream({ name: 'BIG', subjects: ['big'], max_bytes: 512 * 1024 * 1024 });
    const payloads = Array.from({ length: 24 }, (_, i) =>
      event(i, { eventPayload: randomBytes(1024 * 1024) }),
    );
    await publishAll(connection, 'big', payloads);
    let isOpen = false;
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const made = await probe(uriOf('BIG', 'big', '&pull_mb=1'), {
      ...committing,
      flow: { whenReady: () => (isOpen ? undefined : gate) },
    });
    const held = async (): Promise<number> => (await manager.consumers.info('BIG', 'big')).num_ack_pending;
    await until(async () => (await held().catch(() => 0)) > 0, 'the first deliveries');
    await idle(1_000);
    // Twice the largest payload the server takes (2 MiB), and a little.
    assert.ok((await held()) <= 5, `${await held()} MB are held`);
    isOpen = true;
    release();
    await until(() => made.messages.length === payloads.length, 'all of them');
    made.messages.forEach(({ data }, i) => assert.ok(Buffer.from(data).equals(Buffer.from(payloads[i]!))));
  });

  describe('with a stream that discards', () => {
    const numbered = (from: number, to: number): Uint8Array[] =>
      Array.from({ length: to - from + 1 }, (_, index) => event(from + index));
    const acknowledgedThrough = async (stream: string, durable: string): Promise<number> =>
      (await manager.consumers.info(stream, durable)).ack_floor.stream_seq;
    async function readAndEnd(stream: string, durable: string, count: number, options = ''): Promise<void> {
      const made = await probe(uriOf(stream, durable, options), committing);
      await until(() => made.messages.length >= count, `${count} messages of ${stream}`);
      await until(async () => (await acknowledgedThrough(stream, durable)) >= count, 'acknowledgements');
      // Once it has ended the server delivers nothing more to it: what is published from now on, nobody reads.
      made.abort();
      await made.end();
    }

    it('reports messages that were discarded before anybody read them as a gap', async () => {
      await server.addStream({ name: 'FEW', subjects: ['few'], max_msgs: 5 });
      await publishAll(connection, 'few', numbered(1, 5));
      await readAndEnd('FEW', 'few', 5);
      for (const payload of numbered(6, 25)) await publishAll(connection, 'few', [payload]);
      const again = await probe(uriOf('FEW', 'few'), committing);
      await until(() => again.messages.length === 5, 'what is left');
      assert.deepEqual(numbersOf(again.messages), [21, 22, 23, 24, 25]);
      const told = again.events.filter((one) => one.kind === 'gap');
      assert.deepEqual(
        told.map(({ gap: { reason, robot, count, firstSourceSequence, lastSourceSequence } }) => [
          ...[reason, robot, count, firstSourceSequence, lastSourceSequence],
        ]),
        [['missed_while_down', 'robot1', 15, 6, 20]],
      );
      const created = (await manager.streams.info('FEW')).created;
      assert.equal(told[0]!.numberedIn, `nats:FEW@${created}`);
    });

    it('reports no gap if everything was read before it was discarded', async () => {
      await server.addStream({ name: 'KEPT', subjects: ['kept'], max_msgs: 5 });
      await publishAll(connection, 'kept', numbered(1, 5));
      await readAndEnd('KEPT', 'kept', 5);
      await publishAll(connection, 'kept', numbered(6, 10));
      const again = await probe(uriOf('KEPT', 'kept'), committing);
      await until(() => again.messages.length === 5, 'what is left');
      // New, it reads from what the stream has now: there was nobody to miss anything.
      const fresh = await probe(uriOf('KEPT', 'fresh'), committing);
      await until(() => fresh.messages.length === 5, 'what there is');
      assert.deepEqual([...gapsOf(again), ...gapsOf(fresh)], []);
    });

    it('reports a gap of unknown count if it reads only some subjects of the stream', async () => {
      await server.addStream({ name: 'PART', subjects: ['part.>'], max_msgs: 5 });
      await publishAll(connection, 'part.a', numbered(1, 5));
      await readAndEnd('PART', 'part', 5, '&subjects=part.a');
      for (const payload of numbered(6, 25)) await publishAll(connection, 'part.b', [payload]);
      const again = await probe(uriOf('PART', 'part', '&subjects=part.a'), committing);
      await until(() => gapsOf(again).length === 1, 'the gap');
      const [gap] = gapsOf(again);
      assert.ok(gap);
      assert.equal(gap.count, undefined);
      assert.deepEqual([gap.firstSourceSequence, gap.lastSourceSequence], [6, 20]);
      assert.match(present(gap.detail), /unknown is how many of them are of part\.a/);
    });

    it('reports messages that were discarded because it read too slowly, and counts every message once', async () => {
      await server.addStream({ name: 'FAST', subjects: ['fast'], max_msgs: 5 });
      let isOpen = false;
      let release = (): void => {};
      const gate = new Promise<void>((resolve) => (release = resolve));
      const flow = { whenReady: () => (isOpen ? undefined : gate) };
      const made = await probe(uriOf('FAST', 'fast', '&pull_mb=1'), { ...committing, flow });
      await until(
        async () => (await manager.consumers.info('FAST', 'fast').catch(() => undefined)) !== undefined,
        'the durable',
      );
      const payload = randomBytes(1024 * 1024);
      for (let i = 1; i <= 30; i++)
        await publishAll(connection, 'fast', [event(i, { eventPayload: payload })]);
      isOpen = true;
      release();
      const lost = (): number => gapsOf(made).reduce((sum, { count = 0 }) => sum + count, 0);
      await until(() => made.messages.length + lost() >= 30, 'all to be accounted for');
      assert.equal(made.messages.length + lost(), 30);
      assert.ok(lost() > 0);
    });

    it('reports the discarded messages of a stream whose durable was created again', async () => {
      await server.addStream({ name: 'REMADE', subjects: ['remade'], max_msgs: 5 });
      await publishAll(connection, 'remade', numbered(1, 2));
      const made = await probe(uriOf('REMADE', 'remade'), committing);
      await until(() => made.messages.length === 2, 'the first messages');
      await manager.streams.delete('REMADE');
      await server.addStream({ name: 'REMADE', subjects: ['remade'], max_msgs: 5 });
      for (const payload of numbered(1, 12)) await publishAll(connection, 'remade', [payload]);
      const lost = (): number => gapsOf(made).reduce((sum, { count = 0 }) => sum + count, 0);
      await until(() => made.messages.length - 2 + lost() >= 12, 'all to be accounted for');
      assert.equal(made.messages.length - 2 + lost(), 12);
    });
  });

  it('waits for a server that is not there, and reads on after one was killed and came back', async () => {
    const other = await NatsServer.prepare();
    try {
      const made = await probe(uriOf('LATER', 'later', '', other), committing);
      await until(() => statesOf(made).some((state) => /waiting no connection/.test(state)), 'it to wait');
      await other.run();
      await until(() => statesOf(made).some((state) => /no stream LATER/.test(state)), 'the missing stream');
      await other.addStream({ name: 'LATER', subjects: ['later'] });
      const publisher = await other.connect();
      await publishAll(publisher, 'later', [event(1), event(2)]);
      await until(() => made.messages.length === 2, 'the first messages');
      await other.kill();
      await until(() => present(statesOf(made).at(-1)).startsWith('waiting'), 'the loss of the server');
      await other.run();
      await publishAll(await other.connect(), 'later', [event(3)]);
      await until(() => numbersOf(made.messages).includes(3), 'the message after the restart');
      assert.equal(statesOf(made).at(-1), 'open ');
      assert.equal(made.ended, false);
    } finally {
      await other.stop();
    }
  });

  it('takes a stream that was deleted and created again for another one, and creates its durable again', async () => {
    await server.addStream({ name: 'AGAIN', subjects: ['again'] });
    await publishAll(connection, 'again', [event(1), event(2)]);
    // Nothing is acknowledged here: the first stream's acknowledgements must not reach the second.
    const made = await probe(uriOf('AGAIN', 'again', '&deliver=new'));
    await until(() => statesOf(made).includes('open '), 'it to read');
    await publishAll(connection, 'again', [event(3)]);
    await until(() => made.messages.length === 1, 'the first message');
    await manager.streams.delete('AGAIN');
    await until(() => statesOf(made).some((state) => /no stream AGAIN/.test(state)), 'the loss to be seen');
    await server.addStream({ name: 'AGAIN', subjects: ['again'] });
    await publishAll(connection, 'again', [event(10), event(11), event(12)]);
    await until(() => made.messages.length === 4, 'the messages of the new stream');
    const numberings = made.messages.map(({ channel }) => channel.numberedIn);
    assert.equal(new Set(numberings).size, 2);
    assert.deepEqual(numbersOf(made.messages), [3, 10, 11, 12]);
    assert.deepEqual(
      made.messages.map((message) => message.sourceSequence),
      [3, 1, 2, 3],
    );
    present(made.messages[0]!.ack)();
    await idle(500);
    const { num_ack_pending } = await manager.consumers.info('AGAIN', 'again');
    assert.equal(num_ack_pending, 3, 'sequence 3 of the new stream was acknowledged for that of the old');
  });

  it('makes a durable that was deleted again, and passes nothing over', async () => {
    await server.addStream({ name: 'GONE', subjects: ['gone'] });
    const made = await probe(uriOf('GONE', 'gone', '&deliver=new'), committing);
    await until(() => statesOf(made).includes('open '), 'it to read');
    await publishAll(connection, 'gone', [event(1)]);
    await until(() => made.messages.length === 1, 'a message');
    await manager.consumers.delete('GONE', 'gone');
    await publishAll(connection, 'gone', [event(2)]);
    await until(() => numbersOf(made.messages).includes(2), 'the message published in between');
  });

  it('names a durable that it cannot use, and uses it after the correction', async () => {
    await server.addStream({ name: 'WRONG', subjects: ['wrong'] });
    await manager.consumers.add('WRONG', { durable_name: 'wrong', ack_policy: 'none' });
    await publishAll(connection, 'wrong', [event(1)]);
    const made = await probe(uriOf('WRONG', 'wrong'), committing);
    await until(() => statesOf(made).some((state) => /ack policy none/.test(state)), 'the refusal');
    await manager.consumers.delete('WRONG', 'wrong');
    await until(() => made.messages.length === 1, 'the message');
  });

  it('reads several subjects by a durable each, and robots from the envelope', async () => {
    await server.addStream({ name: 'MANY', subjects: ['many.>'] });
    await publishAll(connection, 'many.a', [
      event(1, { simulationId: 'one' }),
      event(2, { simulationId: '' }),
    ]);
    await publishAll(connection, 'many.b.c', [event(3, { simulationId: 'two' })]);
    await publishAll(connection, 'many.d', [event(4)]);
    const made = await reading('MANY', '&subjects=many.a,many.b.*&robot_from=simulation_id', 3);
    await idle(300);
    const found = made.messages.map(({ channel }) => `${channel.topic} ${channel.robot}`).sort();
    assert.deepEqual(found, ['many.a one', 'many.a robot1', 'many.b.c two']);
    assert.equal(made.channels.length, 3);
  });

  describe('with messages that it cannot record', () => {
    const letters: Msg[] = [];
    let at = 0;
    const dead = (): string => `dead.${at}`;
    beforeEach(() => {
      at++;
      letters.length = 0;
      const subscription = connection.subscribe(dead(), {
        callback: (_, letter) => void letters.push(letter),
      });
      void subscription.closed;
    });

    it('puts it aside with the reason, counts it as a gap and acknowledges it', async () => {
      await server.addStream({ name: `L${at}`, subjects: [dead()] });
      await server.addStream({ name: 'POISON', subjects: ['poison'] });
      const huge = event(9, { eventPayload: randomBytes(1_200_000) });
      await publishAll(connection, 'poison', [
        event(1),
        Buffer.from('no envelope'),
        new Uint8Array(0),
        huge,
        event(2),
      ]);
      const made = await reading('POISON', `&dead_letter=${dead()}&max_message_mb=1`, 2);
      await until(() => letters.length === 3, 'the dead letters');
      made.abort();
      await made.end();
      const reasons = letters.map(({ headers: of }) => present(of).get('Holdfast-Reason')).sort();
      assert.match(
        reasons.join('; '),
        /invalid_message: .*; invalid_message: .*; message_too_large: it has 1200/,
      );
      const [first] = letters;
      assert.ok(first);
      assert.equal(present(first.headers).get('Holdfast-Sequence'), '2');
      assert.equal(present(first.headers).get('Holdfast-Subject'), 'poison');
      assert.equal(Buffer.from(first.data).toString(), 'no envelope');
      const gaps = gapsOf(made);
      const count = gaps.reduce((sum, gap) => sum + (gap.count ?? 0), 0);
      assert.equal(count, 3);
      assert.deepEqual(
        new Set(gaps.map(({ reason }) => reason)),
        new Set(['invalid_message', 'message_too_large']),
      );
      assert.ok(gaps.every(({ robot, topic }) => robot === 'robot1' && topic === 'poison'));
      await until(
        async () => (await manager.consumers.info('POISON', `d${durables}`)).num_ack_pending === 0,
        'the acknowledgements',
      );
    });

    it('acknowledges it only once a stream has confirmed it: absent, and then full', async () => {
      await server.addStream({ name: 'WAIT', subjects: ['wait'] });
      await publishAll(connection, 'wait', [Buffer.from('bad'), event(1)]);
      const made = await probe(uriOf('WAIT', 'wait', `&dead_letter=${dead()}`), committing);
      await until(() => made.messages.length === 1, 'the good message');
      await idle(500);
      const pending = async (): Promise<number> =>
        (await manager.consumers.info('WAIT', 'wait')).num_ack_pending;
      assert.deepEqual([await pending(), gapsOf(made).length], [1, 0]);
      // Full: it takes nothing.
      const full = { name: `F${at}`, subjects: [dead()], max_bytes: 60, discard: DiscardPolicy.New };
      await server.addStream(full);
      await idle(6_000);
      assert.deepEqual([await pending(), gapsOf(made).length], [1, 0]);
      await manager.streams.update(full.name, { max_bytes: 1_000_000 });
      await until(async () => (await pending()) === 0, 'the confirmation');
      assert.deepEqual(
        gapsOf(made).map(({ reason, count }) => [reason, count]),
        [['invalid_message', 1]],
      );
    });

    it('counts it as a gap and continues if there should be no dead letter', async () => {
      await server.addStream({ name: 'NOLETTER', subjects: ['noletter'] });
      await publishAll(connection, 'noletter', [Buffer.from('bad'), event(1)]);
      const made = await reading('NOLETTER', '&dead_letter=none', 1);
      assert.equal(gapsOf(made).length, 1);
    });

    it('does not go round in a stream that keeps its own dead letters and alerts', async () => {
      await server.addStream({ name: 'ROUND', subjects: ['round.>'] });
      await publishAll(connection, 'round.raw', [Buffer.from('bad'), event(1)]);
      const made = await reading('ROUND', '&dead_letter=round.dead&alert=round.alert', 1);
      await until(async () => (await manager.streams.info('ROUND')).state.messages >= 4, 'letter and alert');
      await idle(500);
      assert.equal((await manager.streams.info('ROUND')).state.messages, 4);
      assert.equal(gapsOf(made).length, 1);
    });

    it('reports critical failures on the alert subject', async () => {
      const alerts: { kind: string; detail: string; source: string }[] = [];
      connection.subscribe(`alert.${at}`, { callback: (_, alert) => void alerts.push(alert.json()) });
      await server.addStream({ name: 'ALERT', subjects: ['alerting'] });
      const made = await probe(
        uriOf('ALERT', 'alerting', `&alert=alert.${at}&dead_letter=${dead()}`),
        committing,
      );
      await publishAll(connection, 'alerting', [Buffer.from('bad'), event(1)]);
      await until(() => made.messages.length === 1, 'a message');
      await until(
        () => alerts.some(({ kind }) => kind === 'dead_letter_failed'),
        'the alert of the dead letter',
      );
      await manager.streams.delete('ALERT');
      await until(() => alerts.some(({ kind }) => kind === 'stream_missing'), 'the alert of the stream');
      assert.match(alerts[0]!.source, /^nats:/);
    });
  });

  it('gives header-carrying messages their payload, and headers are no part of it', async () => {
    await server.addStream({ name: 'HEAD', subjects: ['head'] });
    const header = headers();
    header.set('trace', 'x');
    connection.publish('head', event(5), { headers: header });
    const { messages } = await reading('HEAD', '', 1);
    assert.deepEqual(numbersOf(messages), [5]);
  });

  it('reports lag, redeliveries and the duration of acknowledgements', async () => {
    await server.addStream({ name: 'STATS', subjects: ['stats'] });
    await publishAll(
      connection,
      'stats',
      Array.from({ length: 20 }, (_, i) => event(i)),
    );
    const uri = uriOf('STATS', 'stats', '&ack_wait=1s&max_ack_pending=5');
    const first = await probe(uri);
    await until(() => first.messages.length === 5, 'what may be unacknowledged');
    first.unsubscribe();
    const source = await open(uri);
    const second = new Probe(source, { robotOf: () => 'robot1', ...committing });
    probes.push(second);
    await until(() => second.messages.length === 20, 'everything');
    const stats = present(source.stats?.());
    assert.equal(stats.acknowledgedMessages, 20);
    assert.equal(present(stats.acknowledgeDurations).count, 20);
    assert.equal(stats.redeliveredMessages, 5);
    assert.deepEqual([stats.unacknowledgedMessages, stats.connections], [0, 1]);
    assert.equal(stats.lagMessages, 0);
  });

  describe('on a server that requires authentication', () => {
    let folder = '';
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'holdfast-nats-tls-'));
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it('sends the token in its file, reads the file again, and never shows it', async () => {
      const token = 's3cret-t0ken';
      const other = await NatsServer.start(`authorization { token: "${token}" }`, { token });
      try {
        await other.addStream({ name: 'TOKEN', subjects: ['token'] });
        await publishAll(await other.connect(), 'token', [event(1)]);
        const path = join(folder, 'token');
        const lines: string[] = [];
        const log = (line: string, fields?: unknown) => void lines.push(line + JSON.stringify(fields));
        const made = await probe(uriOf('TOKEN', 'token', `&token_file=${path}`, other), {
          ...committing,
          logger: { debug: log, info: log, warn: log, error: log },
        });
        await until(() => statesOf(made).some((state) => /cannot read/.test(state)), 'the missing file');
        writeFileSync(path, 'wrong\n');
        await until(() => statesOf(made).some((state) => /auth/i.test(state)), 'the refusal');
        writeFileSync(path, `${token}\n`);
        await until(() => made.messages.length === 1, 'the message');
        const direct = await open(`nats://${token}@${other.address}?stream=TOKEN&durable=token2`);
        assert.doesNotMatch(direct.uri, /s3cret/);
        assert.doesNotMatch([...lines, ...statesOf(made)].join('\n'), /s3cret/);
        probes.push(new Probe(direct, { ...committing, robotOf: () => 'r' }));
        await until(
          () => present(probes.at(-1)).messages.length === 1,
          'the message by the token in the address',
        );
      } finally {
        await other.stop();
      }
    });

    it('sends the credentials of a user of an account, and its password if it has one', async () => {
      const account = makeAccount();
      const path = join(folder, 'user.creds');
      writeFileSync(path, account.creds);
      const authenticator = credsAuthenticator(Buffer.from(account.creds));
      const password = join(folder, 'password');
      writeFileSync(password, 'p@ss:word\n');
      const users = 'authorization { users: [{ user: "me", password: "p@ss:word" }] }';
      const login = { user: 'me', pass: 'p@ss:word' };
      for (const [configuration, own, options] of [
        [account.configuration, { authenticator }, `&creds=${path}`],
        [users, login, `&user=me&password_file=${password}`],
      ] as const) {
        const other = await NatsServer.start(configuration, own);
        try {
          await other.addStream({ name: 'WHO', subjects: ['who'] });
          await publishAll(await other.connect(), 'who', [event(1)]);
          const made = await probe(uriOf('WHO', 'who', options, other), committing);
          await until(() => made.messages.length === 1, `the message with ${options}`);
        } finally {
          await other.stop();
        }
      }
    });

    it('speaks TLS with a certificate of its own, and refuses a server it does not know', async function () {
      try {
        execFileSync('openssl', ['version']);
      } catch {
        lacking(this, 'openssl', 'there is no openssl to make certificates with');
      }
      const path = (name: string): string => join(folder, name);
      const ssl = (...args: string[]): unknown =>
        execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
      const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      for (const name of ['ca', 'stranger']) {
        ssl('req', '-x509', ...ec, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`);
      }
      writeFileSync(path('ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost');
      for (const name of ['server', 'client']) {
        ssl('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
        const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext'];
        ssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`);
      }
      const other = await NatsServer.start(
        `tls { cert_file: "${path('server.pem')}", key_file: "${path('server.key')}", ` +
          `ca_file: "${path('ca.pem')}", verify: true }`,
        { tls: { caFile: path('ca.pem'), certFile: path('client.pem'), keyFile: path('client.key') } },
      );
      try {
        await other.addStream({ name: 'TLS', subjects: ['tls'] });
        await publishAll(await other.connect(), 'tls', [event(1)]);
        const own = `&cert=${path('client.pem')}&key=${path('client.key')}`;
        const refusing = await probe(uriOf('TLS', 'tls', `&ca=${path('stranger.pem')}${own}`, other));
        await until(
          () => statesOf(refusing).some((state) => /certificate|signature/i.test(state)),
          'the refusal',
        );
        const made = await probe(uriOf('TLS', 'tls', `&ca=${path('ca.pem')}${own}`, other), committing);
        await until(() => made.messages.length === 1, 'the message');
        assert.equal(refusing.messages.length, 0);
      } finally {
        await other.stop();
      }
    });
  });
});
