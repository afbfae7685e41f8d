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

const WIDTH = 64;
const HEIGHT = 48;
/** Bytes after the pixels of a row. */
const PADDING = 5;
/** Root of the mean square of the difference in 8-bit steps: quality 90 and halved colours give about 2. */
const RMS_MAX = 6;

const header = { stamp: { sec: 1_795_852_800, nanosec: 42 }, frame_id: 'camera' };

/** Red, green and blue of the test image: smooth, and another for each channel and place. */
function colourAt(x: number, y: number): readonly [number, number, number] {
  return [40 + 3 * x, 20 + 4 * y, 200 - 2 * x];
}

/** The test image in an encoding; `places` of red, green, blue and alpha in a pixel. */
function imageOf(encoding: string, pixelBytes: number, places: readonly number[]): RawImage {
  const step = WIDTH * pixelBytes + PADDING;
  const data = new Uint8Array(step * HEIGHT).fill(0x77);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const colour = [...colourAt(x, y), 0x33];
      for (const [which, place] of places.entries()) {
        data[y * step + x * pixelBytes + place] = present(colour[which]);
      }
    }
  }
  return { header, height: HEIGHT, width: WIDTH, encoding, is_bigendian: 0, step, data };
}

/** Pixels of a JPEG as FFmpeg reads them. */
function decodedJpeg(jpeg: Uint8Array, format: 'rgb24' | 'gray'): Buffer {
  const args = [
    '-loglevel',
    'error',
    '-f',
    'jpeg_pipe',
    '-i',
    'pipe:0',
    '-f',
    'rawvideo',
    '-pix_fmt',
    format,
  ];
  return execFileSync('ffmpeg', [...args, 'pipe:1'], { input: jpeg, maxBuffer: 16 * 1024 * 1024 });
}

describe('images through sync.transform', function () {
  this.timeout(60_000);
  const writer = new CdrWriter();
  const decoder = new MessageDecoder();

  /** Each time with a data folder and a store of their own. */
  async function send(
    images: Readonly<Record<string, RawImage>>,
    rules: readonly string[],
  ): Promise<
    { readonly reason: string } | { readonly manifest: Manifest; readonly messages: McapMessage[] }
  > {
    const topics = Object.entries(images).map(([topic, image]) => {
      return { topic, type: 'sensor_msgs/Image', payloads: [encodeRawImage(writer, image)] };
    });
    await using world = await SyncWorld.create();
    const sealed = await sealTyped(world, topics);
    await using work = transformer(rules);
    const store = new MemoryStore();
    const limit = AbortSignal.timeout(40_000);
    const { alarms } = await world.drain(store, { sink: sinkOf(work) }, limit);
    if (alarms[0]) return { reason: alarms[0].message };
    const text = present(store.content.objects.get(manifestKey(sealed.manifest.key))).toString();
    const manifest = decodeManifest(text, 'it');
    return { manifest, messages: await messagesIn(store, manifest) };
  }

  function valueOf({ channel, data }: McapMessage): unknown {
    const decoded = decoder.decode(channel, data);
    assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
    return decoded.value;
  }

  it('become JPEGs that show the same, for every encoding of 8 bits', async () => {
    const images = {
      '/rgb8': imageOf('rgb8', 3, [0, 1, 2]),
      '/bgr8': imageOf('bgr8', 3, [2, 1, 0]),
      '/rgba8': imageOf('rgba8', 4, [0, 1, 2, 3]),
      '/bgra8': imageOf('bgra8', 4, [2, 1, 0, 3]),
      '/mono8': imageOf('mono8', 1, [0]),
    };
    const sent = await send(images, ['.* jpeg=90']);
    assert.ok('messages' in sent, 'reason' in sent ? sent.reason : '');
    const names = Object.keys(images).map((topic) => `${topic}/compressed`);
    assert.deepEqual(sent.messages.map(({ channel }) => channel.topic).sort(), names.sort());
    assert.deepEqual(sent.manifest.channels.map(({ topic }) => topic).sort(), names);
    assert.equal(sent.manifest.derived?.stages[0]?.name, 'jpeg');
    for (const message of sent.messages) {
      const { topic, schema } = message.channel;
      assert.equal(schema.name, 'sensor_msgs/msg/CompressedImage');
      const value = valueOf(message) as { header: typeof header; format: string; data: Uint8Array };
      assert.equal(value.header.frame_id, 'camera');
      assert.equal(value.header.stamp.sec, header.stamp.sec);
      assert.match(value.format, new RegExp(`^${topic.split('/')[1]}; jpeg compressed`));
      const isGrey = topic.startsWith('/mono8');
      const pixels = decodedJpeg(value.data, isGrey ? 'gray' : 'rgb24');
      const depth = isGrey ? 1 : 3;
      assert.equal(pixels.length, WIDTH * HEIGHT * depth);
      let squares = 0;
      for (const [at, found] of pixels.entries()) {
        const [pixel, which] = [Math.floor(at / depth), at % depth];
        const colour = colourAt(pixel % WIDTH, Math.floor(pixel / WIDTH));
        squares += (found - present(colour[which])) ** 2;
      }
      const rms = Math.sqrt(squares / pixels.length);
      assert.ok(rms < RMS_MAX, `${topic}: ${rms}`);
    }
  });

  it('of another encoding are a fault, or stay as they are if the rule allows that', async () => {
    const depth = { ...imageOf('mono8', 1, [0]), encoding: '16UC1', width: WIDTH / 2 };
    const refused = await send({ '/depth': depth }, ['/depth jpeg=90']);
    assert.ok('reason' in refused);
    assert.match(refused.reason, /"\/depth jpeg=90".*images of "16UC1" have no JPEG; allowed: rgb8/);
    const kept = await send({ '/depth': depth }, ['/depth jpeg=90?']);
    assert.ok('messages' in kept);
    assert.equal(kept.messages[0]?.channel.topic, '/depth');
  });

  it('lose regions, before they become JPEGs as well, and nothing else', async () => {
    const image = imageOf('bgra8', 4, [2, 1, 0, 3]);
    const sent = await send({ '/cut': image, '/both': image }, [
      '.* blank=16x8+4+2,100x4+60+46',
      '/both jpeg=95',
    ]);
    assert.ok('messages' in sent, 'reason' in sent ? sent.reason : '');
    const isCut = (x: number, y: number): boolean =>
      (x >= 4 && x < 20 && y >= 2 && y < 10) || (x >= 60 && y >= 46);
    const cut = valueOf(present(sent.messages.find(({ channel }) => channel.topic === '/cut'))) as RawImage;
    const expected = Uint8Array.from(image.data);
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        if (isCut(x, y)) expected.set([0, 0, 0, 0xff], y * image.step + 4 * x);
      }
    }
    assert.deepEqual(Buffer.from(cut.data), Buffer.from(expected));
    assert.deepEqual([cut.encoding, cut.step, cut.header.frame_id], ['bgra8', image.step, 'camera']);
    const both = sent.messages.find(({ channel }) => channel.topic === '/both/compressed');
    const jpeg = (valueOf(present(both)) as { data: Uint8Array }).data;
    const pixels = decodedJpeg(jpeg, 'rgb24');
    for (const [x, y] of [
      [8, 5],
      [12, 6],
    ] as const) {
      const at = 3 * (y * WIDTH + x);
      assert.ok(Math.max(...pixels.subarray(at, at + 3)) < 40, `${x}, ${y} is black`);
    }
  });

  it('are not sent if a region cannot be cut, or if a topic would have two sources', async () => {
    const yuv = { ...imageOf('mono8', 1, [0]), encoding: 'yuv422', width: WIDTH / 2 };
    const refused = await send({ '/cam': yuv }, ['/cam blank=1x1+0+0']);
    assert.match((refused as { reason: string }).reason, /images of "yuv422" have no regions to blank/);
    const short = { ...imageOf('rgb8', 3, [0, 1, 2]), height: HEIGHT + 1 };
    const cut = await send({ '/cam': short }, ['/cam jpeg=90']);
    assert.match((cut as { reason: string }).reason, /are not 64 x 49 pixels/);
    const image = imageOf('rgb8', 3, [0, 1, 2]);
    const twice = await send({ '/cam': image, '/cam/compressed': image }, ['/cam$ jpeg=90']);
    assert.match((twice as { reason: string }).reason, /writes \/cam\/compressed, which is recorded as well/);
  });
});
