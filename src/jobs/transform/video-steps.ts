import { open } from 'node:fs/promises';
import type { ImageHeader, RawImage } from '../../core/ros/image-message.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { CdrWriter } from '../../core/ros/cdr-writer.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { ChildSessions } from '../../host/child-sessions.js';
import { ffmpegRelease } from '../../host/ffmpeg.js';
import { MessageDecoder } from '../../recordings/message-decoder.js';
import { accessUnits } from './access-units.js';
import { H264Stream } from './h264-stream.js';
import { transformFailed } from './message-transform.js';

const VIDEO_END = '/h264';
const TIME = `${'='.repeat(80)}\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n`;
/** foxglove_msgs/msg/CompressedVideo. */
const SCHEMA = {
  name: 'foxglove_msgs/msg/CompressedVideo',
  encoding: 'ros2msg',
  data: Buffer.from(
    `builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n${TIME}`,
  ),
};

/** One image that is in a stream. */
interface Frame {
  readonly message: Omit<McapMessage, 'data'>;
  readonly header: ImageHeader;
}

interface Run {
  readonly stream: H264Stream;
  readonly frames: Frame[];
}

/** The images of one channel, with all that is the same for them. */
interface Video {
  readonly rule: TransformRule;
  readonly place: number;
  readonly channel: McapChannel;
  readonly runs: Run[];
}

/** A message of a video, and the place of the rule that made it. */
export interface VideoMessage {
  readonly message: McapMessage;
  readonly place: number;
}

/**
 * Makes videos of the images of one segment. They are complete only when the segment is read, so their messages come
 * last in the file, with the times of the images. Throws `TRANSFORM_FAILED` for images that have no H.264, and
 * `TRANSFORM_PROCESS_FAILED` if FFmpeg fails.
 */
export class VideoSteps implements AsyncDisposable {
  readonly #base: string;
  readonly #sessions: ChildSessions;
  readonly #decoder = new MessageDecoder();
  readonly #videos = new Map<McapChannel, Video>();
  #files = 0;
  #program: string | undefined;

  /** @param base - Path beside which files lie until their video is written. */
  constructor(base: string, sessions: ChildSessions) {
    this.#base = base;
    this.#sessions = sessions;
  }

  /** Puts an image into the video of its channel. */
  async add(place: number, rule: TransformRule, crf: number, message: McapMessage): Promise<void> {
    const { channel } = message;
    let video = this.#videos.get(channel);
    if (!video)
      this.#videos.set(channel, (video = { rule, place, channel: videoChannel(channel), runs: [] }));
    let run: Run | undefined;
    let image: RawImage;
    try {
      image = this.#imageOf(message);
      run = video.runs.at(-1);
      if (!run?.stream.takes(image)) {
        await run?.stream.finish();
        const path = `${this.#base}.${this.#files++}.h264`;
        video.runs.push((run = { stream: new H264Stream(image, crf, path, this.#sessions), frames: [] }));
      }
    } catch (error) {
      throw transformFailed(rule, channel, error);
    }
    this.#program ??= await ffmpegRelease();
    const { data: _data, ...rest } = message;
    run.frames.push({ message: rest, header: image.header });
    await run.stream.add(image).catch((error: unknown) => {
      throw ffmpegFailed(rule, error);
    });
  }

  /** FFmpeg with its version, if it has made a video for this rule. */
  programOf(rule: TransformRule): string | undefined {
    return [...this.#videos.values()].some((video) => video.rule === rule) ? this.#program : undefined;
  }

  /** Ends the videos and gives their messages, one video after the other. */
  async *finish(): AsyncGenerator<VideoMessage, void, void> {
    for (const { rule, place, channel, runs } of this.#videos.values()) {
      for (const { stream, frames } of runs) {
        try {
          await stream.finish();
          yield* this.#unitsOf(stream, frames, channel, place);
        } catch (error) {
          throw ffmpegFailed(rule, error);
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { runs } of this.#videos.values()) {
      for (const { stream } of runs) await stream[Symbol.asyncDispose]();
    }
  }

  async *#unitsOf(
    { path }: H264Stream,
    frames: readonly Frame[],
    channel: McapChannel,
    place: number,
  ): AsyncGenerator<VideoMessage, void, void> {
    const writer = new CdrWriter();
    await using file = await open(path);
    let at = 0;
    for await (const unit of accessUnits(file)) {
      const frame = frames[at++];
      if (!frame) break;
      yield { place, message: { ...frame.message, channel, data: encodeVideo(writer, frame.header, unit) } };
    }
    if (at !== frames.length)
      throw new Error(`FFmpeg made ${at} or more pictures of ${frames.length} images`);
  }

  #imageOf({ channel, data }: McapMessage): RawImage {
    const decoded = this.#decoder.decode(channel, data);
    if (!decoded.ok) throw new Error(`an image cannot be decoded: ${decoded.reason}`);
    return decoded.value as RawImage;
  }
}

function encodeVideo(writer: CdrWriter, { stamp, frame_id: frame }: ImageHeader, unit: Buffer): Uint8Array {
  return writer
    .begin()
    .i32(stamp.sec)
    .u32(stamp.nanosec ?? stamp.nsec ?? 0)
    .string(frame)
    .u8Sequence(unit)
    .string('h264')
    .finish();
}

function videoChannel(channel: McapChannel): McapChannel {
  const { topic_type_hash: _hash, ...metadata } = channel.metadata;
  return { ...channel, topic: `${channel.topic}${VIDEO_END}`, metadata, schema: SCHEMA };
}

function ffmpegFailed({ text }: TransformRule, error: unknown): HoldfastError {
  return new HoldfastError(
    'TRANSFORM_PROCESS_FAILED',
    `the rule "${text}" of sync.transform: ${describeError(error)}`,
    { cause: error, facts: { rule: text } },
  );
}
