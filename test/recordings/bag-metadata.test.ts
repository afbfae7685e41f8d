import assert from 'node:assert/strict';
import { bagMetadataYaml } from '../../src/core/mcap/rosbag2-metadata.js';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { FilePool } from '../../src/recordings/file-readable.js';
import { locate, type Located } from '../../src/recordings/locate.js';
import { jazzyProfiles } from '../../src/core/mcap/qos-profiles.js';
import { listSegments, type Problem } from '../../src/recordings/segments.js';
import { writeBags, type WriteBagsOptions, type WrittenBag } from '../../src/recordings/write-bags.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { runCli } from '../support/cli.js';
import { mcapFixture } from '../support/mcap-fixtures.js';
import { storePorts } from '../support/store-ports.js';
import { testMcap } from '../support/test-mcap.js';
import { CHAT_MESSAGES, sealedFolder, SECOND, segmentIdOf, START, uploadAll } from './sealed-fixture.js';
import { firstOf } from '../support/first-of.js';

interface BagYaml {
  readonly version: bigint;
  readonly message_count: bigint;
  readonly relative_file_paths: string[];
  readonly starting_time: { nanoseconds_since_epoch: bigint };
  readonly duration: { nanoseconds: bigint };
  readonly files: { path: string; message_count: bigint }[];
  readonly topics_with_message_count: {
    topic_metadata: { name: string; offered_qos_profiles: Record<string, unknown>[] };
    message_count: bigint;
  }[];
  readonly custom_data: Record<string, string>;
}

describe('metadata.yaml for folders of segments', () => {
  let root: string;
  let files: FilePool;
  const problems: Problem[] = [];
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-bags-'));
    files = new FilePool(fs, 2);
    problems.length = 0;
  });
  afterEach(async () => {
    await files[Symbol.asyncDispose]();
    await fs.rm(root, { recursive: true, force: true });
  });

  const openStore = (uri: string): Promise<DirectoryStore> =>
    Promise.resolve(new DirectoryStore(uri.slice(4), storePorts));
  const onProblem = (problem: Problem): void => void problems.push(problem);
  const write = async (from: string, options: Partial<WriteBagsOptions> = {}): Promise<WrittenBag[]> => {
    const located: Located = await locate(from, { fs, logger: silentLogger, openStore });
    const segments = await listSegments(located, { files, onProblem });
    return writeBags(segments, located, { files: 'refer', fs, onProblem, ...options });
  };
  const bagAt = async (folder: string): Promise<BagYaml> => {
    const text = await fs.readFile(join(folder, 'metadata.yaml'), 'utf8');
    return (parse(text, { intAsBigInt: true }) as { rosbag2_bagfile_information: BagYaml })
      .rosbag2_bagfile_information;
  };

  it('leaves out what rosbag2 compressed message by message, which a new metadata.yaml could not say', async () => {
    const path = mcapFixture('message-compressed-bag');
    const file = join(path, 'c05_0.mcap');
    const located: Located = { kind: 'mcap', path, files: [file] };
    const segment = { name: file, bytes: 0, readable: () => files.readable(file) };
    const onProblem = (problem: Problem): void => void problems.push(problem);
    const bags = await writeBags([segment], located, {
      files: 'copy',
      output: join(root, 'out'),
      fs,
      onProblem,
    });
    assert.deepEqual(bags, []);
    assert.match(problems[0]?.reason ?? '', /compressed its messages.*use replay --format rosbag2/);
  });

  it('makes one bag per robot of a data folder, whose files stay where they are', async () => {
    const folder = await sealedFolder(join(root, 'data'), 3);
    const bags = await write(folder.root);
    assert.deepEqual(
      bags.map(({ path, robot, messages, carried, files: count }) => [path, robot, messages, carried, count]),
      ['r1', 'r2'].map((robot) => [join(folder.root, 'bags', robot), robot, 3 * CHAT_MESSAGES + 3, 2, 3]),
    );
    const bag = await bagAt(join(folder.root, 'bags', 'r1'));
    assert.equal(bag.version, 9n);
    assert.deepEqual(
      bag.relative_file_paths,
      [1, 2, 3].map((number) => `../../sealed/${segmentIdOf(number)}.r1.mcap`),
    );
    assert.deepEqual(
      bag.files.map(({ path, message_count: count }) => [path, count]),
      bag.relative_file_paths.map((path) => [path, BigInt(CHAT_MESSAGES + 1)]),
    );
    assert.equal(bag.starting_time.nanoseconds_since_epoch, START + 10n * SECOND);
    assert.equal(bag.duration.nanoseconds, 20n * SECOND + BigInt(CHAT_MESSAGES - 1) * 10_000_000n);
    // The carried and the original channel of a topic are one line.
    assert.deepEqual(
      bag.topics_with_message_count.map((each) => [each.topic_metadata.name, each.message_count]).sort(),
      [
        ['/r1/chat', BigInt(3 * CHAT_MESSAGES)],
        ['/r1/tf_static', 3n],
      ],
    );
    assert.equal(bag.message_count, BigInt(3 * CHAT_MESSAGES + 3));
    assert.deepEqual(bag.custom_data, { holdfast_carried: '2', holdfast_robot: 'r1' });
    assert.deepEqual(problems, []);
  });

  it('has the form that Humble reads, if it is wanted: policies as numbers, in a text', () => {
    const offered = (policies: string): string =>
      `- history: ${policies.split(' ')[0]}\n  depth: 7\n  reliability: ${policies.split(' ')[1]}\n` +
      `  durability: ${policies.split(' ')[2]}\n  liveliness: ${policies.split(' ')[3]}`;
    const topic = { type: 'std_msgs/msg/String', encoding: 'cdr', typeHash: 'RIHS01_00', messages: 1 };
    const topics = [
      { ...topic, topic: '/words', offeredQos: offered('keep_all best_effort transient_local automatic') },
      { ...topic, topic: '/numbers', offeredQos: offered('2 2 1 1') },
      { ...topic, topic: '/unknown', offeredQos: offered('new new new new') },
      { ...topic, topic: '/none', offeredQos: undefined },
    ];
    const { rosbag2_bagfile_information: bag } = parse(
      bagMetadataYaml({ topics, messages: 4 }, [], 'humble'),
    ) as {
      rosbag2_bagfile_information: {
        version: number;
        topics_with_message_count: { topic_metadata: Record<string, unknown> }[];
      };
    };
    assert.equal(bag.version, 5);
    const profiles = bag.topics_with_message_count.map(
      ({ topic_metadata: { offered_qos_profiles: text } }) => {
        assert.equal(typeof text, 'string');
        const [one] = (parse(text as string) ?? []) as Record<string, unknown>[];
        return (
          one && [one['history'], one['depth'], one['reliability'], one['durability'], one['liveliness']]
        );
      },
    );
    assert.deepEqual(profiles, [[2, 7, 2, 1, 1], [2, 7, 2, 1, 1], [1, 7, 1, 2, 1], undefined]);
    const fields = Object.keys(bag.topics_with_message_count[0]?.topic_metadata ?? {});
    assert.deepEqual(fields, ['name', 'type', 'serialization_format', 'offered_qos_profiles']);
  });

  it('leaves out an object that was put into the place of another robot or segment', async () => {
    const folder = await sealedFolder(join(root, 'data'), 2);
    const place = (robot: string, number: number): string =>
      join(folder.sealed, `${segmentIdOf(number)}.${robot}.mcap`);
    await fs.copyFile(place('r1', 1), place('r2', 1));
    await fs.copyFile(place('r1', 1), place('r1', 2));
    const bags = await write(folder.root);
    assert.deepEqual(
      bags.map(({ robot, files: count }) => [robot, count]),
      [
        ['r1', 1],
        ['r2', 1],
      ],
    );
    assert.deepEqual(
      problems.map(({ where, reason }) => [where, /holds (\w+) .* left out/.exec(reason)?.[1]]).sort(),
      [
        [place('r2', 1), 'robot'],
        [place('r1', 2), 'segment'],
      ],
    );
  });

  it('lies in the robot’s folder of a store, and nothing of the store minds it', async () => {
    const folder = await sealedFolder(join(root, 'data'));
    const store = new DirectoryStore(join(root, 'store'), storePorts);
    await store.createId('a'.repeat(32));
    await uploadAll(folder, store);
    const [bag] = firstOf(1, await write(join(root, 'store'), { robots: ['r2'] }));
    assert.equal(bag.path, join(root, 'store', 'robot=r2'));
    const { relative_file_paths: paths } = await bagAt(bag.path);
    assert.deepEqual(
      paths.map((path) => basename(path)),
      [1, 2].map((number) => `${segmentIdOf(number)}.mcap`),
    );
    for (const path of paths) await fs.access(join(bag.path, path));
    const { json } = await runCli(['verify', join(root, 'store'), '--json']);
    assert.deepEqual([json?.['ok'], json?.['findings']], [true, []]);
  });

  it('lies beside the files of one robot, and below them where there are several', async () => {
    const folder = await sealedFolder(join(root, 'data'));
    const copied = join(root, 'copied');
    await fs.mkdir(copied);
    for (const name of await fs.readdir(folder.sealed)) {
      if (name.endsWith('.r1.mcap')) await fs.copyFile(join(folder.sealed, name), join(copied, name));
    }
    assert.deepEqual(
      (await write(copied)).map(({ path }) => path),
      [copied],
    );
    assert.equal((await bagAt(copied)).relative_file_paths[0], `${segmentIdOf(1)}.r1.mcap`);
    // Written by this command: renewed when asked again, also when there is more.
    await fs.copyFile(
      join(folder.sealed, `${segmentIdOf(1)}.r2.mcap`),
      join(copied, `${segmentIdOf(1)}.r2.mcap`),
    );
    assert.deepEqual(
      (await write(copied)).map(({ path }) => path),
      [join(copied, 'r1'), join(copied, 'r2')],
    );
    assert.equal((await bagAt(join(copied, 'r2'))).relative_file_paths[0], `../${segmentIdOf(1)}.r2.mcap`);
  });

  for (const way of ['link', 'copy'] as const) {
    it(`with ${way} gives the bag files of its own that stay, numbered as rosbag2 names them`, async () => {
      const folder = await sealedFolder(join(root, 'data'));
      const options = { files: way, output: join(root, 'bags') };
      await write(folder.root, options);
      const original = await fs.readFile(join(folder.sealed, `${segmentIdOf(2)}.r1.mcap`));
      await assert.rejects(write(folder.root, options), (error: unknown) =>
        isHoldfastError(error, 'OUTPUT_UNUSABLE'),
      );
      await fs.rm(folder.root, { recursive: true });
      const path = join(root, 'bags', 'r1');
      assert.deepEqual((await fs.readdir(path)).sort(), ['metadata.yaml', 'r1_0.mcap', 'r1_1.mcap']);
      assert.deepEqual((await bagAt(path)).relative_file_paths, ['r1_0.mcap', 'r1_1.mcap']);
      assert.deepEqual(await fs.readFile(join(path, 'r1_1.mcap')), original);
      assert.deepEqual((await fs.readdir(join(root, 'bags'))).sort(), ['r1', 'r2']);
    });
  }

  it('never replaces the metadata of somebody else’s bag', async () => {
    const folder = join(root, 'theirs');
    await fs.mkdir(folder);
    await fs.writeFile(join(folder, 'a.mcap'), await testMcap({}));
    const theirs = 'rosbag2_bagfile_information:\n  version: 9\n';
    await fs.writeFile(join(folder, 'metadata.yaml'), theirs);
    await assert.rejects(write(folder), (error: unknown) => isHoldfastError(error, 'OUTPUT_UNUSABLE'));
    assert.equal(await fs.readFile(join(folder, 'metadata.yaml'), 'utf8'), theirs);
  });

  it('names what cannot be in the bag, and makes the bag of the rest', async () => {
    const folder = await sealedFolder(join(root, 'data'), 3);
    await fs.writeFile(join(folder.sealed, `${segmentIdOf(1)}.r1.mcap`), 'no MCAP');
    const cut = join(folder.sealed, `${segmentIdOf(2)}.r1.mcap`);
    await fs.writeFile(cut, (await fs.readFile(cut)).subarray(0, -200));
    const bags = await write(folder.root);
    assert.deepEqual(problems.map(({ where }) => basename(where)).sort(), [
      `${segmentIdOf(1)}.r1.mcap`,
      `${segmentIdOf(2)}.r1.mcap`,
    ]);
    assert.deepEqual(
      bags.map(({ robot, files: count }) => [robot, count]),
      [
        ['r1', 1],
        ['r2', 3],
      ],
    );
  });

  it('warns of files that overlap in time, which ros2 bag play would give one after the other', async () => {
    const folder = join(root, 'overlap');
    await fs.mkdir(folder);
    for (const name of ['a', 'b'])
      await fs.writeFile(join(folder, `${name}.mcap`), await testMcap({ stepNs: SECOND }));
    await write(folder);
    assert.equal(problems.length, 1);
    assert.match(problems[0]!.reason, /begins \d+\.\d s before the file ahead of it/);
  });
});

describe('the QoS profiles of metadata.yaml', () => {
  const names = (text: string): unknown => {
    const [profile] = jazzyProfiles(text);
    return [profile?.['history'], profile?.['reliability'], profile?.['durability'], profile?.['liveliness']];
  };

  it('are written by name, also if a recorder before Jazzy wrote numbers', () => {
    assert.deepEqual(names('- history: 1\n  depth: 10\n  reliability: 2\n  durability: 1\n  liveliness: 1'), [
      'keep_last',
      'best_effort',
      'transient_local',
      'automatic',
    ]);
  });

  it('have every field, because ros2 bag refuses the whole bag if one is missing', () => {
    const [profile] = jazzyProfiles('- durability: transient_local\n  depth: 1');
    assert.deepEqual(profile, {
      history: 'keep_last',
      depth: 1n,
      reliability: 'reliable',
      durability: 'transient_local',
      deadline: { sec: 9223372036, nsec: 854775807 },
      lifespan: { sec: 9223372036, nsec: 854775807 },
      liveliness: 'automatic',
      liveliness_lease_duration: { sec: 9223372036, nsec: 854775807 },
      avoid_ros_namespace_conventions: false,
    });
  });

  it('are empty if the text is not a list of profiles', () => {
    for (const text of ['', 'nothing', '{a: 1}', '- 1\n- two', '- [', undefined]) {
      assert.deepEqual(jazzyProfiles(text), []);
    }
  });
});
