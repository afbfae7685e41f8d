import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, isHoldfastError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import { MergedFiles, type MergedFile } from '../../../src/jobs/serve/merged-files.js';
import { parseWindow } from '../../../src/jobs/serve/merge-window.js';
import type { Segment } from '../../../src/recordings/segment.js';
import { TestClock } from '../../support/test-clock.js';
import { testMcap } from '../../support/test-mcap.js';

const MINUTE_MS = 60_000;

describe('merged files', () => {
  let folder: string;
  let clock: TestClock;
  let segments: Segment[];
  let lists: number;
  const contents: Uint8Array[] = [];

  before(async () => {
    for (const firstTime of [1n, 2n, 3n]) {
      contents.push(await testMcap({ firstTime: firstTime * 1_000_000_000n, messages: 600 }));
    }
  });
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-merged-'));
    clock = new TestClock();
    segments = [segment(0), segment(1)];
    lists = 0;
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  const segment = (index: number): Segment => ({
    name: `segment-${index}`,
    bytes: contents[index]!.byteLength,
    readable: () => bytesReadable(contents[index]!),
  });

  const open = (maxBytes = 1e9): MergedFiles =>
    new MergedFiles({
      robotsNamed: (robots) => Promise.resolve(robots === undefined ? {} : { robots }),
      list: () => {
        lists++;
        return Promise.resolve([...segments]);
      },
      ...{ fs, folder, maxBytes, version: '0', clock, logger: silentLogger },
    });

  async function bytesOf({ file, content }: MergedFile): Promise<Buffer> {
    await content;
    const parts: Uint8Array[] = [];
    for await (const part of file.read(0)) parts.push(part);
    return Buffer.concat(parts);
  }

  const code =
    (expected: string) =>
    (error: unknown): boolean =>
      isHoldfastError(error) && error.code === expected;

  it('of one window are made once, and leave no name on the disk', async () => {
    await using files = open();
    const window = parseWindow({ topic: '/robot1/a' });
    const [one, other] = await Promise.all([files.open(window), files.open(window)]);
    assert.equal(one, other);
    assert.equal((await one.content).messages, 600);
    assert.deepEqual(await fs.readdir(folder), []);
  });

  it('have the same bytes when they are made again', async () => {
    const window = parseWindow({ robot: 'robot1', from: '0000001100000000' });
    await using files = open();
    const first = await files.open(window);
    await using again = open();
    const second = await again.open(window);
    assert.equal(first.digest, second.digest);
    assert.deepEqual(await bytesOf(first), await bytesOf(second));
    assert.ok((await first.content).messages > 0);
  });

  it('can be read while they are made', async () => {
    await using files = open();
    const { file, content } = await files.open(parseWindow({}));
    const parts: Uint8Array[] = [];
    for await (const part of file.read(0)) parts.push(part);
    assert.equal(Buffer.concat(parts).byteLength, (await content).bytes);
  });

  it('stay the same for a reader of parts while the recording grows', async () => {
    await using files = open();
    const window = parseWindow({});
    const old = await files.open(window);
    await old.content;
    segments.push(segment(2));
    clock.pass(2 * MINUTE_MS);
    assert.equal(await files.open(window, { same: true }), old);
    assert.equal(await files.open(window, { digest: old.digest }), old);
    const grown = await files.open(window);
    assert.notEqual(grown.digest, old.digest);
    assert.equal((await grown.content).messages, 1_800);
    // A link still means the file that it was made for.
    assert.equal(await files.open(window, { digest: old.digest }), old);
  });

  it('end within a minute when one of their segments is deleted', async () => {
    await using files = open();
    const window = parseWindow({});
    const { digest, content, file } = await files.open(window);
    await content;
    segments.shift();
    await files.open(window, { digest });
    clock.pass(MINUTE_MS + 1);
    await assert.rejects(files.open(window, { digest }), code('STATE_REFUSED'));
    await assert.rejects(file.read(0).next(), /closed/);
    assert.equal((await (await files.open(window, { same: true })).content).messages, 600);
    assert.equal(lists, 2);
  });

  it('are removed for newer ones when the room ends, but not those that are read', async () => {
    const one = parseWindow({ topic: '/robot1/a' });
    const other = parseWindow({ topic: '/robot1/b' });
    await using measure = open();
    const { bytes } = await (await measure.open(one)).content;
    await using files = open(Math.round(bytes * 1.5));
    const first = await files.open(one);
    await first.content;
    const reading = first.file.read(0);
    await reading.next();
    await assert.rejects((await files.open(other)).content, (error) => {
      assert.match(describeError(error), /--scratch-bytes/);
      return code('OUTPUT_UNUSABLE')(error);
    });
    await reading.return();
    await (
      await files.open(other)
    ).content;
    await assert.rejects(first.file.read(0).next(), /closed/);
  });

  it('refuse a third one at the same time', async () => {
    await using files = open();
    let release = (): void => undefined;
    const waiting = new Promise<void>((resolve) => (release = resolve));
    segments = [
      {
        ...segment(0),
        readable: () => ({
          ...bytesReadable(contents[0]!),
          size: () => waiting.then(() => BigInt(contents[0]!.byteLength)),
        }),
      },
    ];
    const [a, b] = await Promise.all(['/robot1/a', '/x'].map((topic) => files.open(parseWindow({ topic }))));
    await assert.rejects(files.open(parseWindow({ topic: '/y' })), (error) => {
      assert.ok(isHoldfastError(error));
      return error.code === 'STATE_REFUSED' && error.retryable;
    });
    release();
    await Promise.all([a?.content, b?.content]);
    await (
      await files.open(parseWindow({ topic: '/y' }))
    ).content;
  });
});
