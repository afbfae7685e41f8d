import * as fs from 'node:fs/promises';
import type { RawImage } from '../../core/ros/image-message.js';
import { BoundedChild } from '../../host/bounded-child.js';
import type { ChildSessions } from '../../host/child-sessions.js';
import { checkSize } from './raw-image.js';

/** FFmpeg's names of the encodings. */
export const videoFormats: ReadonlyMap<string, { readonly name: string; readonly pixelBytes: number }> =
  new Map([
    ['rgb8', { name: 'rgb24', pixelBytes: 3 }],
    ['bgr8', { name: 'bgr24', pixelBytes: 3 }],
    ['8UC3', { name: 'bgr24', pixelBytes: 3 }],
    ['rgba8', { name: 'rgba', pixelBytes: 4 }],
    ['bgra8', { name: 'bgra', pixelBytes: 4 }],
    ['mono8', { name: 'gray', pixelBytes: 1 }],
    ['8UC1', { name: 'gray', pixelBytes: 1 }],
  ]);

const MEMORY_MAX_BYTES = 1024 * 1024 * 1024;
const LIFE_MAX_MS = 3_600_000;
const FRAME_MAX_MS = 30_000;
/** Frames from one keyframe to the next at most. */
const KEYFRAME_EVERY = 60;
const SIDE_MAX = 16_384;

/** The frames of one size on their way through FFmpeg into a file of access units. */
export class H264Stream implements AsyncDisposable {
  readonly #child: BoundedChild;
  readonly #form: string;
  /** The file: Annex B, each access unit begins with a delimiter. */
  readonly path: string;

  /** Throws an Error for images that have no H.264. */
  constructor(image: RawImage, crf: number, path: string, sessions: ChildSessions) {
    this.#form = formOf(image);
    this.path = path;
    const bounds = { memoryMaxBytes: MEMORY_MAX_BYTES, lifeMaxMs: LIFE_MAX_MS };
    this.#child = new BoundedChild(ffmpegCommand(image, crf, path), bounds, sessions);
    // FFmpeg writes nothing there; a pipe that nobody reads could fill up.
    this.#child.stdout.resume();
  }

  /** Whether an image has the size and the pixels of the stream. */
  takes(image: RawImage): boolean {
    return formOf(image) === this.#form;
  }

  /** Throws an Error with how FFmpeg ended. */
  async add(image: RawImage): Promise<void> {
    await this.#within(async () => {
      const written = new Promise<void>((resolve, reject) => {
        this.#child.stdin.write(packedRows(image), (error) => (error ? reject(error) : resolve()));
      });
      await written.catch(async (error: unknown) => {
        throw new Error(`FFmpeg ${(await this.#child.ended) ?? 'ended too early'}`, { cause: error });
      });
    });
  }

  /** Ends the stream; then the file has everything. Throws an Error with how FFmpeg ended. */
  async finish(): Promise<void> {
    await this.#within(async () => {
      this.#child.stdin.end();
      const ended = await this.#child.ended;
      if (ended !== undefined) throw new Error(`FFmpeg ${ended}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
    await fs.rm(this.path, { force: true });
  }

  #within(work: () => Promise<void>): Promise<void> {
    return this.#child.within(FRAME_MAX_MS, `took no image for ${FRAME_MAX_MS / 1_000} s`, work);
  }
}

function formOf({ width, height, encoding }: RawImage): string {
  const format = videoFormats.get(encoding);
  if (!format) {
    throw new Error(`images of "${encoding}" have no H.264; allowed: ${[...videoFormats.keys()].join(', ')}`);
  }
  if (width < 1 || height < 1 || Math.max(width, height) > SIDE_MAX) {
    throw new Error(`images of ${width} x ${height} pixels have no H.264; allowed: 1 to ${SIDE_MAX} a side`);
  }
  return `${format.name} ${width}x${height}`;
}

/** Rows without padding. */
function packedRows(image: RawImage): Uint8Array {
  const pixelBytes = videoFormats.get(image.encoding)?.pixelBytes ?? 0;
  checkSize(image, pixelBytes);
  const { step, width, height, data } = image;
  const rowBytes = width * pixelBytes;
  // A copy in any case: the decoded image is a view into a block that is used again.
  const packed = Buffer.allocUnsafe(rowBytes * height);
  for (let y = 0; y < height; y++) packed.set(data.subarray(y * step, y * step + rowBytes), y * rowBytes);
  return packed;
}

/**
 * One thread and fixed intervals, so that the same images give the same bytes. 4:2:0 needs even sides: others get a
 * black row or column.
 */
function ffmpegCommand(image: RawImage, crf: number, path: string): string[] {
  const [format = '', size = ''] = formOf(image).split(' ');
  return [
    ...['ffmpeg', '-loglevel', 'quiet', '-nostdin', '-y'],
    ...['-f', 'rawvideo', '-pixel_format', format, '-video_size', size, '-framerate', '30', '-i', 'pipe:0'],
    ...['-an', '-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2', '-pix_fmt', 'yuv420p'],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-crf', String(crf)],
    ...['-bf', '0', '-g', String(KEYFRAME_EVERY), '-threads', '1'],
    ...['-x264-params', 'aud=1:repeat-headers=1', '-f', 'h264', path],
  ];
}
