import type { RawImage } from '../../../src/core/ros/image-message.js';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { decodeManifest, manifestKey, type Manifest } from '../../../src/core/manifest.js';
import type { McapMessage } from '../../../src/core/mcap/block.js';
import { present } from '../../../src/core/present.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { encodeRawImage } from '../../../src/jobs/transform/raw-image.js';
import { MessageDecoder } from '../../../src/recordings/message-decoder.js';
import { MemoryStore } from '../../support/memory-store.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { messagesIn, sealTyped, sinkOf, transformer } from './transform-world.js';

/** Peak signal to noise ratio, dB: 25 is visibly worse, equal pictures have infinitely many. */
const PSNR_MIN = 32;
const FRAMES = 70;

interface CompressedVideo {
  readonly timestamp: { readonly sec: number; readonly nanosec?: number; readonly nsec?: number };
  readonly frame_id: string;
  readonly data: Uint8Array;
  readonly format: string;
}

/** A bright square that moves over a smooth background. */
function frame(index: number, width: number, height: number): RawImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isSquare = Math.abs(x - (index % width)) < 6 && Math.abs(y - height / 2) < 6;
      data.set(isSquare ? [230, 220, 210] : [40 + x, 60 + y, 90], 3 * (y * width + x));
    }
  }
  const header = { stamp: { sec: 100 + index, nanosec: 7 }, frame_id: 'camera' };
  return { header, height, width, encoding: 'rgb8', is_bigendian: 0, step: 3 * width, data };
}

/** Pictures of a stream as FFmpeg reads them. */
function decoded(stream: Buffer, frameBytes: number): Buffer[] {
  const args = ['-loglevel', 'error', '-f', 'h264', '-i', 'pipe:0', '-f', 'rawvideo', '-pix_fmt', 'rgb24'];
  const all = execFileSync('ffmpeg', [...args, '-vsync', 'passthrough', 'pipe:1'], {
    ...{ input: stream, maxBuffer: 256 * 1024 * 1024 },
  });
  return Array.from({ length: all.length / frameBytes }, (_, index) =>
    all.subarray(index * frameBytes, (index + 1) * frameBytes),
  );
}

function pictureTypes(stream: Buffer): string {
  const args = ['-loglevel', 'error', '-f', 'h264', '-i', 'pipe:0', '-show_entries', 'frame=pict_type'];
  return execFileSync('ffprobe', [...args, '-of', 'csv=p=0'], { input: stream, encoding: 'utf8' }).replaceAll(
    /[^IPB]/g,
    '',
  );
}

function psnr(a: Uint8Array, b: Uint8Array): number {
  let squares = 0;
  for (const [at, value] of a.entries()) squares += (value - present(b[at])) ** 2;
  return 10 * Math.log10((255 * 255 * a.length) / Math.max(squares, 1));
}

describe('videos through sync.transform', function () {
  this.timeout(90_000);
  const writer = new CdrWriter();
  const decoder = new MessageDecoder();

  async function send(
    images: readonly RawImage[],
    rules: readonly string[],
  ): Promise<{ readonly manifest: Manifest; readonly messages: McapMessage[]; readonly object: Buffer }> {
    await using world = await SyncWorld.create();
    const payloads = images.map((image) => encodeRawImage(writer, image));
    const sealed = await sealTyped(world, [{ topic: '/cam', type: 'sensor_msgs/Image', payloads }]);
    await using work = transformer(rules);
    const store = new MemoryStore();
    const { alarms } = await world.drain(store, { sink: sinkOf(work) }, AbortSignal.timeout(60_000));
    assert.deepEqual(alarms, []);
    const manifest = decodeManifest(
      present(store.content.objects.get(manifestKey(sealed.manifest.key))).toString(),
      'it',
    );
    const object = present(store.content.objects.get(sealed.manifest.key));
    return { manifest, messages: await messagesIn(store, manifest), object };
  }

  function videoOf({ channel, data }: McapMessage): CompressedVideo {
    const found = decoder.decode(channel, data);
    assert.ok(found.ok, found.ok ? '' : found.reason);
    return found.value as CompressedVideo;
  }

  it('have one access unit for each image, its time, and a keyframe at the start, and show the same', async () => {
    const [width, height] = [96, 64];
    const images = Array.from({ length: FRAMES }, (_, index) => frame(index, width, height));
    const { manifest, messages } = await send(images, ['/cam h264=18']);
    assert.deepEqual(
      manifest.channels.map(({ topic, type, count }) => [topic, type, count]),
      [['/cam/h264', 'foxglove_msgs/msg/CompressedVideo', FRAMES]],
    );
    const videos = messages.map(videoOf);
    assert.deepEqual(
      videos.map(({ timestamp }) => timestamp.sec),
      images.map(({ header }) => header.stamp.sec),
    );
    assert.deepEqual(
      new Set(videos.map(({ format, frame_id: id }) => `${format} ${id}`)),
      new Set(['h264 camera']),
    );
    assert.ok(
      messages.every(({ logTime }, index) => logTime === messages[0]!.logTime + BigInt(index) * 1_000_000n),
    );
    const stream = Buffer.concat(videos.map(({ data }) => data));
    const types = pictureTypes(stream);
    assert.equal(types.length, FRAMES);
    assert.match(types, /^I[IP]+$/, 'no picture needs a later one');
    const pictures = decoded(stream, width * height * 3);
    assert.equal(pictures.length, FRAMES);
    for (const [index, picture] of pictures.entries()) {
      const db = psnr(picture, present(images[index]).data);
      assert.ok(db > PSNR_MIN, `picture ${index}: ${db} dB`);
    }
    assert.ok(manifest.payloadBytes < present(manifest.derived).source.payloadBytes / 20);
    const [stage] = present(manifest.derived).stages;
    const said = execFileSync('ffmpeg', ['-version'], { encoding: 'utf8' });
    assert.equal(stage?.program, `ffmpeg ${present(/^ffmpeg version (\S+)/.exec(said)?.[1])}`);
    assert.deepEqual(stage.counts, { unchanged: 0, changed: FRAMES, dropped: 0, made: 0 });
  });

  it('begin again when the size changes, and take sizes that are odd', async () => {
    const images = [frame(0, 33, 21), frame(1, 33, 21), frame(2, 64, 48), frame(3, 64, 48), frame(4, 64, 48)];
    const { messages } = await send(images, ['/cam h264=23']);
    const videos = messages.map(videoOf);
    assert.equal(videos.length, images.length);
    const second = Buffer.concat(videos.slice(2).map(({ data }) => data));
    assert.match(pictureTypes(second), /^I..$/);
    assert.equal(decoded(second, 64 * 48 * 3).length, 3);
    assert.equal(decoded(Buffer.concat(videos.slice(0, 2).map(({ data }) => data)), 34 * 22 * 3).length, 2);
  });

  it('have the same bytes each time, so that an upload continues', async () => {
    const images = Array.from({ length: 20 }, (_, index) => frame(index, 64, 48));
    const first = await send(images, ['/cam h264=23']);
    const again = await send(images, ['/cam h264=23']);
    const payloads = ({ messages }: typeof first): Buffer[] => messages.map(({ data }) => Buffer.from(data));
    assert.deepEqual(payloads(again), payloads(first));
  });
});
