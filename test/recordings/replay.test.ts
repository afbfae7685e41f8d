import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapIndexedReader } from '@mcap/core';
import zstd from '@foxglove/wasm-zstd';
import { parse } from 'yaml';
import { present } from '../../src/core/present.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { locate, type Located } from '../../src/recordings/locate.js';
import { replay, type ReplayOptions, type ReplayReport } from '../../src/recordings/replay.js';
import { listSegments, type Problem, type Segment } from '../../src/recordings/segments.js';
import type { DataFolder } from '../../src/core/data-folder.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { recording } from '../support/recordings.js';
import { storePorts } from '../support/store-ports.js';
import { testMcap } from '../support/test-mcap.js';
import { CHAT_MESSAGES, sealedFolder, SECOND, segmentIdOf, START, uploadAll } from './sealed-fixture.js';
import { sealChangingDefinition } from './changing-definition.js';
import { insideFirstChunk } from '../support/inside-chunk.js';

interface Row {
  topic: string;
  logTime: bigint;
  publishTime: bigint;
  data: string;
}

/** The file as somebody else's reader sees it. */
async function readBack(path: string): Promise<{ rows: Row[]; reader: McapIndexedReader }> {
  await zstd.isLoaded;
  const reader = await McapIndexedReader.Initialize({
    readable: bytesReadable(await fs.readFile(path)),
    decompressHandlers: { zstd: (data, size) => zstd.decompress(data, Number(size)) },
  });
  const rows: Row[] = [];
  for await (const { channelId, logTime, publishTime, data } of reader.readMessages()) {
    const { topic } = present(reader.channelsById.get(channelId));
    rows.push({ topic, logTime, publishTime, data: Buffer.from(data).toString('base64') });
  }
  return { rows, reader };
}

const unexpected = ({ where, reason }: Problem): never => assert.fail(`${where}: ${reason}`);

const keyOf = ({ topic, logTime, publishTime, data }: Row): string =>
  `${topic} ${logTime} ${publishTime} ${data}`;

describe('replay', () => {
  let root: string;
  let files: FilePool;
  const problems: Problem[] = [];
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-replay-'));
    files = new FilePool(fs, 2);
    problems.length = 0;
  });
  afterEach(async () => {
    await files[Symbol.asyncDispose]();
    await fs.rm(root, { recursive: true, force: true });
  });

  const segmentsOf = (located: Located): Promise<Segment[]> =>
    listSegments(located, { files, onProblem: (problem) => problems.push(problem) });
  const find = (from: string): Promise<Located> =>
    locate(from, {
      fs,
      logger: silentLogger,
      openStore: (uri) => Promise.resolve(new DirectoryStore(uri.slice(4), storePorts)),
    });
  const output = (): string => join(root, 'out');
  const run = (segments: readonly Segment[], options: Partial<ReplayOptions> = {}): Promise<ReplayReport> =>
    replay(segments, { output: output(), format: 'mcap', filter: {}, version: '0', fs, ...options });
  const local = async (folder: DataFolder): Promise<Segment[]> => segmentsOf({ kind: 'data', folder });

  it('gives a split recording back as one file, every message once with its times and bytes', async () => {
    const segments = await segmentsOf(await find(recording('two_robots_split_zstd')));
    const report = await run(segments);
    assert.equal(report.messages, 9_539);
    const { rows, reader } = await readBack(output());
    const expected: string[] = [];
    for (const { name } of segments) expected.push(...(await readBack(name)).rows.map(keyOf));
    assert.deepEqual(rows.map(keyOf).sort(), expected.sort());
    assert.ok(rows.every((row, i) => i === 0 || row.logTime >= rows[i - 1]!.logTime));
    assert.equal(reader.header.profile, 'ros2');
    const tf = present([...reader.channelsById.values()].find(({ topic }) => topic === '/robot1/tf_static'));
    assert.match(present(tf.metadata.get('offered_qos_profiles')), /transient_local/);
    assert.match(present(tf.metadata.get('topic_type_hash')), /^RIHS01_/);
  });

  it('writes a rosbag2 folder whose metadata.yaml is that of the original', async () => {
    await run(await segmentsOf(await find(recording('two_robots_split_zstd'))), { format: 'rosbag2' });
    assert.deepEqual((await fs.readdir(output())).sort(), ['metadata.yaml', 'out_0.mcap']);
    type Topic = { topic_metadata: { name: string }; message_count: bigint };
    type Bag = { topics_with_message_count: Topic[] } & Record<string, unknown>;
    const bagOf = async (path: string): Promise<Bag> => {
      const text = await fs.readFile(join(path, 'metadata.yaml'), 'utf8');
      const { rosbag2_bagfile_information: bag } = parse(text, { intAsBigInt: true }) as {
        rosbag2_bagfile_information: Bag;
      };
      const topics = bag.topics_with_message_count.filter(({ message_count }) => message_count > 0n);
      topics.sort((a, b) => (a.topic_metadata.name < b.topic_metadata.name ? -1 : 1));
      return { ...bag, topics_with_message_count: topics };
    };
    const [ours, theirs] = [await bagOf(output()), await bagOf(recording('two_robots_split_zstd'))];
    const { relative_file_paths: paths, files: listed, duration, ...rest } = ours;
    const { relative_file_paths: _paths, files: _files, duration: _duration, ...original } = theirs;
    assert.deepEqual(rest, original);
    assert.deepEqual(paths, ['out_0.mcap']);
    assert.equal((listed as { message_count: bigint }[])[0]!.message_count, 9_539n);
    assert.deepEqual(duration, { nanoseconds: 16_815_601_485n });
  });

  it('gives carried messages once, on their original channel, and keeps the gaps', async () => {
    const report = await run(await local(await sealedFolder(join(root, 'data'), 3)));
    const { rows, reader } = await readBack(output());
    assert.equal(rows.length, 6 * CHAT_MESSAGES + 2);
    assert.equal(rows.filter(({ topic }) => topic === '/r1/tf_static').length, 1);
    assert.equal(report.gaps, 6);
    for (const { metadata } of reader.channelsById.values()) assert.ok(!metadata.has('holdfast_carried'));
    assert.equal(reader.channelsById.size, 4);
    assert.equal(
      (await (await openMcap(bytesReadable(await fs.readFile(output())), 'out')).metadata('holdfast_gap'))
        .length,
      6,
    );
  });

  it('keeps the messages of a topic apart by their definitions, when it changes', async () => {
    const segments = await local(await sealChangingDefinition(join(root, 'changing')));
    await run(segments);
    const { reader } = await readBack(output());
    const definitions: string[] = [];
    for await (const { channelId } of reader.readMessages()) {
      const { schemaId, metadata } = present(reader.channelsById.get(channelId));
      assert.equal(metadata.get('holdfast_robot'), undefined);
      definitions.push(Buffer.from(present(reader.schemasById.get(schemaId)).data).toString());
    }
    const [old, upgraded] = ['string data', 'string text\nuint8 level'];
    assert.deepEqual(definitions, [old, old, upgraded, upgraded]);
  });

  it('gives the earlier latched state to a replay that begins in the middle', async () => {
    const segments = await local(await sealedFolder(join(root, 'data'), 3));
    const from = START + 30n * SECOND + 200_000_000n;
    const report = await run(segments, { filter: { from, robots: ['r1'] } });
    assert.equal(report.messages, 1 + CHAT_MESSAGES - 20);
    const { rows } = await readBack(output());
    assert.deepEqual([rows[0]!.topic, rows[0]!.logTime], ['/r1/tf_static', from]);
    assert.equal(rows[1]!.logTime, from);
  });

  it('filters by topic, type, robot and time', async () => {
    const segments = await local(await sealedFolder(join(root, 'data')));
    const count = async (filter: ReplayOptions['filter']): Promise<number> => {
      await fs.rm(output(), { force: true });
      return (await run(segments, { filter })).messages;
    };
    assert.equal(await count({ topics: ['/*/chat'] }), 4 * CHAT_MESSAGES);
    assert.equal(await count({ topics: ['/r1/tf_static'] }), 1);
    assert.equal(await count({ types: ['nothing/msg/Else'] }), 0);
    assert.equal(await count({ robots: ['r2'] }), 2 * CHAT_MESSAGES + 1);
    assert.equal(await count({ to: START + 10n * SECOND }), 2);
  });

  it('opens only segments of the time wanted', async () => {
    const segments = await local(await sealedFolder(join(root, 'data'), 3));
    const opened: string[] = [];
    const watched = segments.map((segment) => ({
      ...segment,
      readable: () => {
        opened.push(present(segment.id));
        return segment.readable();
      },
    }));
    await run(watched, { filter: { from: START + 20n * SECOND, to: START + 29n * SECOND } });
    assert.deepEqual(opened, [segmentIdOf(2), segmentIdOf(2)]);
  });

  it('reads a store, including the segments that the data folder no longer has', async () => {
    const folder = await sealedFolder(join(root, 'data'));
    const store = new DirectoryStore(join(root, 'store'), storePorts);
    await store.createId('a'.repeat(32));
    await uploadAll(folder, store);
    const located = await find(join(root, 'store'));
    assert.equal(located.kind, 'store');
    assert.equal((await run(await segmentsOf(located))).messages, 4 * CHAT_MESSAGES + 2);
    for (const end of ['.mcap', '.json']) await fs.rm(join(folder.sealed, `${segmentIdOf(1)}.r1${end}`));
    await fs.rm(output());
    const both = await listSegments({ kind: 'data', folder }, { files, store, onProblem: unexpected });
    assert.equal(both.filter(({ name }) => name.startsWith(root)).length, 3);
    assert.equal(both.length, 4);
    assert.equal((await run(both)).messages, 4 * CHAT_MESSAGES + 2);
  });

  it('reads around a damaged segment and names it', async () => {
    const folder = await sealedFolder(join(root, 'data'));
    const path = join(folder.sealed, `${segmentIdOf(1)}.r1.mcap`);
    const bytes = await fs.readFile(path);
    bytes[await insideFirstChunk(bytes)]! ^= 0xff;
    await fs.writeFile(path, bytes);
    await fs.writeFile(join(folder.sealed, `${segmentIdOf(1)}.r2.mcap`), 'no MCAP');
    const report = await run(await local(folder));
    assert.deepEqual(report.problems.map(({ where }) => where.slice(-8)).sort(), ['.r1.mcap', '.r2.mcap']);
    assert.ok(report.messages > 2 * CHAT_MESSAGES && report.messages < 3 * CHAT_MESSAGES);
  });

  it('leaves nothing behind when it fails, and never touches what exists', async () => {
    const segments = await local(await sealedFolder(join(root, 'data')));
    const failing = segments.map((segment) => ({
      ...segment,
      readable: () => ({
        size: () => Promise.reject(Object.assign(new Error('the disk is gone'), { code: 'EIO' })),
        read: () => assert.fail(),
      }),
    }));
    for (const format of ['mcap', 'rosbag2'] as const) {
      await assert.rejects(run(failing, { format }), /the disk is gone/);
      assert.deepEqual(await fs.readdir(root), ['data']);
    }
    await fs.writeFile(output(), 'precious');
    await assert.rejects(run(segments), (error: unknown) => isHoldfastError(error, 'OUTPUT_UNUSABLE'));
    assert.equal(await fs.readFile(output(), 'utf8'), 'precious');
    const missing = join(root, 'no', 'such', 'folder');
    await assert.rejects(run(segments, { output: missing }), (error: unknown) =>
      isHoldfastError(error, 'OUTPUT_UNUSABLE'),
    );
  });

  it('merges many files that begin at one time, with few of them open', async () => {
    const folder = join(root, 'many');
    await fs.mkdir(folder);
    for (let i = 0; i < 12; i++) {
      await fs.writeFile(
        join(folder, `${i}.mcap`),
        await testMcap({ firstTime: 1000n + BigInt(i), zstd: true }),
      );
    }
    await run(await segmentsOf(await find(folder)));
    const times = (await readBack(output())).rows.map(({ logTime }) => logTime);
    assert.equal(times.length, 12 * 60);
    assert.ok(times.every((time, i) => i === 0 || time >= times[i - 1]!));
  });

  it('finds out what an argument is', async () => {
    const folder = await sealedFolder(join(root, 'data'));
    const file = join(folder.sealed, `${segmentIdOf(1)}.r1.mcap`);
    assert.equal((await find(folder.root)).kind, 'data');
    assert.equal((await find(file)).kind, 'mcap');
    assert.equal((await find(`mcap:${folder.sealed}`)).kind, 'mcap');
    assert.equal((await find('dir:/anywhere')).kind, 'store');
    for (const nothing of [root, join(root, 'gone'), join(file, 'below')]) {
      await assert.rejects(find(nothing), (error: unknown) => isHoldfastError(error, 'SOURCE_UNREADABLE'));
    }
  });
});
