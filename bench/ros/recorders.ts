import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { askRole } from '../../src/app/control/control-client.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { mainScript } from '../../src/app/setup/main-script.js';
import { describeError } from '../../src/core/errors.js';
import { openOrSalvage } from '../../src/core/mcap/open-mcap.js';
import type { RecorderStatus } from '../../src/core/status.js';
import { nodeFlags } from '../../src/core/node-flags.js';
import type { Case } from './cases.js';
import { startProgram, type Program } from './program.js';
import { programArguments } from './publisher.js';

/**
 * `holdfast-late` is Holdfast with segments so large that none is sealed while the load runs: what recording costs
 * by itself. Sealing (compression, checksums) is work rosbag2 leaves to others. `floor` is the least that a durable
 * recorder costs (programs/floor.cpp); nothing reads what it writes.
 */
export type RecorderName = 'holdfast' | 'holdfast-late' | 'rosbag2' | 'floor';
export const recorderNames: readonly RecorderName[] = ['holdfast', 'holdfast-late', 'rosbag2', 'floor'];

/** Default of segment.max_bytes: loads below it are not sealed while they run. */
export const SEGMENT_BYTES = 64 * 1024 * 1024;

/** One of the recorders, recording `/bench/*` into `folder`. */
export interface RecorderUnderTest {
  readonly program: Program;
  /** Ends it, so that its recording is whole. */
  stop(): Promise<void>;
  /** Its own account, where it gives one. */
  status(): Promise<RecorderStatus | undefined>;
  /** After an end of any kind: what can be had of the recording. */
  recorded(): Promise<Recorded>;
  /** The same by the indexes alone: messages per topic. */
  recordedByTopic(): Promise<ReadonlyMap<string, number>>;
}

export interface Recorded {
  readonly messages: number;
  /** Distinct (topic, number) pairs; equal to `messages` where none is there twice. */
  readonly distinct: number;
  readonly bytes: number;
  readonly note?: string;
}

/** Sealing what is left may take its time. */
const STOP_PATIENCE_MS = 300_000;
/** More than this is counted by the index alone. */
const READ_MAX_BYTES = 600e6;

export interface RecorderSetup {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** The program of `floor`. */
  readonly floor: string;
  readonly load: Pick<Case, 'topics' | 'isImage'>;
}

export async function startRecorder(name: RecorderName, setup: RecorderSetup): Promise<RecorderUnderTest> {
  const { folder, env } = setup;
  if (name === 'rosbag2') return rosbag2(folder, env);
  if (name === 'floor') {
    await fs.mkdir(folder, { recursive: true });
    return floor(setup);
  }
  const late = ['--segment-max-bytes', '1GiB', '--segment-max-age-ms', '1d'];
  return holdfast(folder, env, name === 'holdfast' ? [] : late);
}

function holdfast(folder: string, env: NodeJS.ProcessEnv, more: readonly string[]): RecorderUnderTest {
  const command = (...args: string[]): Program =>
    startProgram(process.execPath, [...process.execArgv, ...nodeFlags, mainScript, ...args], env);
  const program = command(
    ...['record', '--source', 'ros:', '--robot', 'bench', '--include', '^/bench/'],
    ...['--data', folder, '--json', '--log-level', 'warn', ...more],
  );
  return {
    program,
    stop: () => program.stop('SIGINT', STOP_PATIENCE_MS),
    status: async () => {
      try {
        return (await askRole(folder, 'recorder', 'status')) as RecorderStatus;
      } catch {
        return undefined;
      }
    },
    async recorded() {
      await command('recover', '--data', folder).ended;
      return count(await mcapFiles(join(folder, 'sealed')));
    },
    async recordedByTopic() {
      await command('recover', '--data', folder).ended;
      return countByTopic(await mcapFiles(join(folder, 'sealed')));
    },
  };
}

function rosbag2(folder: string, env: NodeJS.ProcessEnv): RecorderUnderTest {
  const args = ['bag', 'record', '-s', 'mcap', '-o', folder, '-e', '/bench/.*'];
  const program = startProgram('ros2', args, env);
  return {
    program,
    stop: () => program.stop('SIGINT', STOP_PATIENCE_MS),
    status: () => Promise.resolve(undefined),
    recorded: async () => count(await mcapFiles(folder)),
    recordedByTopic: async () => countByTopic(await mcapFiles(folder)),
  };
}

function floor({ floor: path, folder, load, env }: RecorderSetup): RecorderUnderTest {
  const file = join(folder, 'floor');
  const options = { topics: load.topics, file, image: load.isImage ? 1 : 0 };
  const program = startProgram(path, programArguments(options), env);
  return {
    program,
    stop: () => program.stop('SIGINT', STOP_PATIENCE_MS),
    status: () => Promise.resolve(undefined),
    recorded: () => {
      const last = /^\{"recorded".*\}$/m.exec(program.output())?.[0];
      if (last === undefined)
        return Promise.resolve({ messages: 0, distinct: 0, bytes: 0, note: 'no account' });
      const { recorded, distinct, bytes } = JSON.parse(last) as Record<string, number>;
      return Promise.resolve({ messages: recorded ?? 0, distinct: distinct ?? 0, bytes: bytes ?? 0 });
    },
    recordedByTopic: () => Promise.resolve(new Map()),
  };
}

async function mcapFiles(folder: string): Promise<string[]> {
  const names = await fs.readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith('.mcap')).map((name) => join(folder, name));
}

async function countByTopic(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
  await using pool = new FilePool(fs);
  const counts = new Map<string, number>();
  for (const path of paths) {
    const { channels, channelCounts } = await openOrSalvage(pool.readable(path), path);
    for (const { id, topic } of channels) {
      counts.set(topic, (counts.get(topic) ?? 0) + (channelCounts?.get(id) ?? 0));
    }
  }
  return counts;
}

/** Where the publisher writes a message's number: behind the CDR head. */
function numberAt(type: string): number {
  return type === 'sensor_msgs/msg/Image' ? 48 : 16;
}

async function count(paths: readonly string[]): Promise<Recorded> {
  await using pool = new FilePool(fs);
  let [messages, distinct, bytes] = [0, 0, 0];
  const notes: string[] = [];
  const seen = new Map<number, Set<number>>();
  for (const path of paths) {
    const { size } = await fs.stat(path);
    bytes += size;
    try {
      const reader = await openOrSalvage(pool.readable(path), path);
      if (reader.salvage !== undefined) notes.push('without index');
      if (size > READ_MAX_BYTES || size * paths.length > 4 * READ_MAX_BYTES) {
        messages += reader.messageCount ?? 0;
        distinct += reader.messageCount ?? 0;
        continue;
      }
      for await (const { data, channel } of reader.messages()) {
        messages++;
        const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
        const at = numberAt(channel.schema.name);
        const topic = view.readUInt32LE(at + 8);
        const numbers = seen.get(topic) ?? new Set();
        seen.set(topic, numbers);
        const before = numbers.size;
        numbers.add(Number(view.readBigUInt64LE(at)));
        if (numbers.size > before) distinct++;
      }
    } catch (error) {
      notes.push(size === 0 ? 'empty file (0 bytes)' : describeError(error));
    }
  }
  if (paths.length === 0) notes.push('no file');
  return { messages, distinct, bytes, ...(notes.length > 0 ? { note: notes.join(', ') } : {}) };
}
