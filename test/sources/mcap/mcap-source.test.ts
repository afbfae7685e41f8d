import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { Gap } from '../../../src/core/gap.js';
import { channelKey } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import type { Source } from '../../../src/core/source.js';
import { createMcapSource } from '../../../src/sources/mcap/mcap-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import {
  firstSegment,
  Probe,
  recordingLogger,
  type LogLine,
  type ProbeOptions,
} from '../../../src/testing/source-probe.js';
import { sourceContract } from '../../../src/testing/source-contract.js';
import { recording } from '../../support/recordings.js';
import { BufferWritable, testMcap, type TestMcapOptions } from '../../support/test-mcap.js';
import { TestClock } from '../../support/test-clock.js';

const source = (uri: string): Source => createMcapSource(parseSourceUri(uri), { fs });
const read = (uri: string, options: ProbeOptions = {}): Promise<Probe> =>
  new Probe(source(uri), options).end();
const gapsOf = (probe: Probe): Omit<Gap, 'id'>[] =>
  probe.events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));

describe('mcap source', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-mcap-source-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  const file = async (name: string, options: TestMcapOptions = {}): Promise<string> => {
    const path = join(folder, name);
    await fs.writeFile(path, await testMcap(options));
    return path;
  };

  sourceContract('mcap', {
    healthy: async () => ({ source: source(`mcap:${await file('healthy.mcap')}`), messageCount: 60 }),
    damaged: async () => {
      const path = await file('damaged.mcap', { messages: 200, chunkBytes: 1000 });
      await fs.truncate(path, 9000);
      return { source: source(`mcap:${path}`) };
    },
    hopeless: () =>
      Promise.resolve({ source: source('mcap:/nowhere/at/all.mcap'), code: 'SOURCE_UNREADABLE' as const }),
  });

  it('gives every message of a real recording with its times and bytes', async () => {
    const probe = await read(`mcap:${recording('two_robots')}`);
    assert.equal(probe.messages.length, 12_396);
    assert.equal(gapsOf(probe).length, 0);
    assert.equal(probe.messages[0]!.receivedAt, 1795211059805804118n);
    const bytes = probe.messages.reduce((sum, message) => sum + message.data.byteLength, 0);
    assert.equal(bytes, 7_785_684);
    assert.equal(probe.channels.filter((channel) => channel.robot === 'robot1').length, 10);
    const latched = probe.channels.filter((channel) => channel.latched).map((channel) => channel.topic);
    assert.deepEqual(latched.sort(), [
      '/robot1/robot_description',
      '/robot1/tf_static',
      '/robot2/robot_description',
      '/robot2/tf_static',
      '/rosout',
    ]);
  });

  it('reads a split recording in the order of its metadata.yaml', async () => {
    const probe = await read(`mcap:${recording('two_robots_split_zstd')}`);
    assert.equal(probe.messages.length, 9_539);
    const times = probe.messages.map((message) => message.receivedAt);
    assert.ok(times.every((time, i) => i === 0 || time >= times[i - 1]!));
    assert.equal(new Set(probe.channels.map(channelKey)).size, probe.channels.length);
  });

  it('reads a killed recording up to the cut and reports how much it could not read', async () => {
    const probe = await read(`mcap:${recording('killed')}`);
    assert.equal(probe.messages.length, 7_119);
    const [gap, ...others] = gapsOf(probe);
    assert.equal(others.length, 0);
    assert.equal(gap?.reason, 'source_unreadable');
    assert.equal(gap.bytes, 2_146);
    assert.match(gap.detail ?? '', /2146 of 2912256 bytes could not be read/);
  });

  it('takes the latched flag from both spellings of the QoS', async () => {
    const path = await file('qos.mcap', {
      topics: [
        { topic: '/a/number', metadata: { offered_qos_profiles: '- durability: 1\n  depth: 1' } },
        { topic: '/a/text', metadata: { offered_qos_profiles: '- depth: 1\n  durability: transient_local' } },
        {
          topic: '/a/volatile',
          metadata: { offered_qos_profiles: '- durability: 2\n- durability: volatile' },
        },
        { topic: '/a/broken', metadata: { offered_qos_profiles: 'durability: [' } },
      ],
    });
    const { channels } = await read(`mcap:${path}`);
    const latched = channels.filter((channel) => channel.latched).map((channel) => channel.topic);
    assert.deepEqual(latched.sort(), ['/a/number', '/a/text']);
  });

  it('leaves out a damaged chunk of an indexed file and continues after it', async () => {
    const path = await file('flip.mcap', { messages: 100, chunkBytes: 1000 });
    const bytes = await fs.readFile(path);
    bytes[3000]! ^= 0xff;
    await fs.writeFile(path, bytes);
    const probe = await read(`mcap:${path}`);
    const [gap, ...others] = gapsOf(probe);
    assert.ok(gap);
    assert.equal(others.length, 0);
    assert.ok(present(gap.bytes) > 900 && present(gap.bytes) < 2000, String(gap.bytes));
    assert.ok(probe.messages.length > 80 && probe.messages.length < 100);
    assert.equal(gap.robot, 'robot1');
  });

  for (const [name, schemaId] of [
    ['no schema', 0],
    ['a schema that is not in the file', 77],
  ] as const) {
    it(`records a channel with ${name}, with an empty schema and a warning`, async () => {
      const path = join(folder, 'bare.mcap');
      const out = new BufferWritable();
      const writer = new McapWriter({ writable: out, useChunks: schemaId === 0 });
      await writer.start({ profile: '', library: '' });
      const channelId = await writer.registerChannel({
        schemaId: 0,
        topic: '/x',
        messageEncoding: 'json',
        metadata: new Map(),
      });
      await writer.addMessage({
        channelId,
        sequence: 0,
        logTime: 5n,
        publishTime: 4n,
        data: Uint8Array.of(1),
      });
      await writer.end();
      const bytes = Buffer.from(out.bytes());
      // Opcode 4, content length 25 of the channel record: its schema id stands behind its id.
      for (let at = bytes.indexOf('/x') - 8; at > 0 && schemaId > 0; at = bytes.indexOf('/x', at + 20) - 8) {
        bytes.writeUInt16LE(schemaId, at + 2);
      }
      await fs.writeFile(path, bytes);
      const lines: LogLine[] = [];
      const { messages } = await read(`mcap:${path}`, { logger: recordingLogger(lines) });
      assert.equal(messages.length, 1);
      const { schema } = messages[0]!.channel;
      assert.deepEqual([schema.name, schema.encoding, schema.data.byteLength], ['', '', 0]);
      assert.equal(lines.filter((line) => line.event === 'recorded without a schema').length, 1);
    });
  }

  it('reads a folder without metadata.yaml by name, numbers by their value', async () => {
    for (const index of [10, 2, 1]) {
      await file(`run_${index}.mcap`, { firstTime: BigInt(index) * 1_000_000_000_000n });
    }
    const { messages } = await read(`mcap:${folder}`);
    assert.deepEqual(
      [messages[0]!.receivedAt, messages[60]!.receivedAt, messages[120]!.receivedAt],
      [1_000_000_000_000n, 2_000_000_000_000n, 10_000_000_000_000n],
    );
  });

  it('makes a gap of a listed file that is missing or no MCAP, and reads the rest', async () => {
    await file('a.mcap');
    await fs.writeFile(join(folder, 'b.mcap'), '');
    await fs.writeFile(
      join(folder, 'metadata.yaml'),
      'rosbag2_bagfile_information:\n  storage_identifier: mcap\n  relative_file_paths: [b.mcap, gone.mcap, a.mcap]\n',
    );
    const probe = await read(`mcap:${folder}`);
    assert.equal(probe.messages.length, 60);
    assert.deepEqual(
      gapsOf(probe).map((gap) => /(b|gone)\.mcap/.exec(gap.detail ?? '')?.[1]),
      ['b', 'gone'],
    );
  });

  it('gives a carried message only if its original was not given', async () => {
    const qos = { offered_qos_profiles: '- durability: transient_local' };
    const topics = [{ topic: '/r/tf_static', metadata: qos, payload: () => Buffer.from('tf') }];
    await file('1.mcap', { topics, messages: 1 });
    const carried = [{ ...topics[0]!, metadata: { ...qos, holdfast_carried: 'true' } }];
    await file('2.mcap', { topics: carried, messages: 1, firstTime: 9_000_000_000n });
    assert.equal((await read(`mcap:${folder}`)).messages.length, 1);
    const alone = await read(`mcap:${join(folder, '2.mcap')}`);
    assert.equal(alone.messages.length, 1);
    assert.deepEqual({ ...alone.channels[0]!.metadata }, qos);
    assert.ok(alone.channels[0]!.latched);
  });

  it('plays at a multiple of real time by log time', async () => {
    const path = await file('paced.mcap', { messages: 11, stepNs: 1_000_000_000n });
    const sleeps: number[] = [];
    const clock = new (class extends TestClock {
      override sleep(ms: number, signal?: AbortSignal): Promise<void> {
        sleeps.push(ms);
        return super.sleep(ms, signal);
      }
    })();
    await read(`mcap:${path}?speed=10`, { clock });
    assert.deepEqual(sleeps, Array<number>(10).fill(100));
    sleeps.length = 0;
    await read(`mcap:${path}`, { clock });
    assert.deepEqual(sleeps, []);
  });

  for (const [what, content, reason] of [
    ['an empty file', '', /the file is empty/],
    ['a short file', 'abc', /the file has only 3 bytes/],
    ['a text', 'this is certainly no MCAP at all', /begins with 74 68 69 73 20 69 73 20/],
  ] as const) {
    it(`refuses ${what} with path and reason`, async () => {
      const path = join(folder, 'x.mcap');
      await fs.writeFile(path, content);
      await assert.rejects(read(`mcap:${path}`), (error: unknown) => {
        assert.ok(isHoldfastError(error, 'SOURCE_UNREADABLE'));
        assert.ok(error.message.includes(path));
        assert.match(error.message, reason);
        return true;
      });
    });
  }

  it('refuses a folder without MCAP files and a bag of another storage', async () => {
    await assert.rejects(read(`mcap:${folder}`), /holds no \*\.mcap file/);
    const yaml = 'rosbag2_bagfile_information: {storage_identifier: sqlite3, relative_file_paths: [a.db3]}';
    await fs.writeFile(join(folder, 'metadata.yaml'), yaml);
    await assert.rejects(read(`mcap:${folder}`), /storage "sqlite3", allowed: mcap/);
  });

  it('refuses options it does not know', () => {
    for (const query of ['speed=0', 'speed=fast', 'pace=1', 'speed=-1']) {
      assert.throws(
        () => source(`mcap:x.mcap?${query}`),
        (error: unknown) => isHoldfastError(error, 'CONFIG_INVALID'),
      );
    }
    assert.throws(() => source('mcap:'), /path is empty/);
  });

  it('announces only channels that have messages', async () => {
    const { channels } = await read(`mcap:${recording('killed')}`, { robotOf: firstSegment });
    assert.ok(!channels.some((channel) => channel.topic === '/events/write_split'));
  });
});
