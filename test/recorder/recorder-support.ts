import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Observable } from 'rxjs';
import { compileRecorderOptions } from '../../src/settings/compile-recorder.js';
import type { RecorderOptions } from '../../src/settings/recorder-options.js';
import { resolve, type RawFlags } from '../../src/settings/resolve.js';
import type { RecorderInput } from '../../src/recorder/recorder-run.js';
import { decodeManifest, type Manifest } from '../../src/core/manifest.js';
import type { Channel, Message } from '../../src/core/message.js';
import type { Source, SourceContext, SourceEvent } from '../../src/core/source.js';

const schema = { name: 'test_msgs/msg/Bytes', encoding: 'ros2msg', data: Buffer.from('uint8[] data') };

export function testChannel(topic: string, robot = 'robot1', latched = false): Channel {
  return Object.freeze({ robot, topic, encoding: 'cdr', schema, metadata: {}, latched });
}

export function testMessage(
  of: Channel,
  text: string,
  more: Partial<Pick<Message, 'sourceSequence' | 'receivedAt'>> = {},
): Message {
  const receivedAt = more.receivedAt ?? 1_000_000_000n;
  return {
    kind: 'message',
    channel: of,
    data: Buffer.from(text),
    publishedAt: receivedAt,
    receivedAt,
    ...more,
  };
}

/** A source that emits and ends as the test asks; made again for each activation. */
export class PuppetSource {
  context: SourceContext | undefined;
  opened = 0;
  /** Where set, the source does not end on the signal before this resolves. */
  beforeEnd: Promise<void> | undefined;
  #subscriber: { next(event: SourceEvent): void; complete(): void } | undefined;

  readonly #backpressure: boolean;

  constructor(backpressure = false) {
    this.#backpressure = backpressure;
  }

  input(): RecorderInput {
    const source: Source = {
      uri: 'test:puppet',
      supports: {
        finite: false,
        backpressure: this.#backpressure,
        sequences: true,
        acknowledgement: false,
      },
      open: (context) =>
        new Observable((subscriber) => {
          this.opened++;
          this.context = context;
          this.#subscriber = subscriber;
          context.signal.addEventListener('abort', () => {
            void (this.beforeEnd ?? Promise.resolve()).then(() => subscriber.complete());
          });
        }),
    };
    return { source, robot: 'robot1', robotFromNamespace: false };
  }

  emit(...events: SourceEvent[]): void {
    for (const event of events) this.#subscriber?.next(event);
  }

  end(): void {
    this.#subscriber?.complete();
  }
}

/** A data folder in a temporary place, and options for a recorder of it. */
export class RecorderPlace implements AsyncDisposable {
  private constructor(readonly data: string) {}

  static async make(): Promise<RecorderPlace> {
    return new RecorderPlace(join(await fs.mkdtemp(join(tmpdir(), 'holdfast-recorder-')), 'data'));
  }

  options(flags: RawFlags = {}): RecorderOptions {
    const quiet = { 'retention.min_free_bytes': '0', ballast_bytes: '0' };
    const resolved = resolve('recorder', undefined, {
      data: this.data,
      sources: ['sim:'],
      ...quiet,
      ...flags,
    });
    return compileRecorderOptions(resolved, { hostname: 'host' });
  }

  async manifests(): Promise<Manifest[]> {
    const folder = join(this.data, 'sealed');
    const names = (await fs.readdir(folder)).filter((name) => name.endsWith('.json')).sort();
    return Promise.all(
      names.map(async (name) => decodeManifest(await fs.readFile(join(folder, name), 'utf8'), name)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await fs.rm(join(this.data, '..'), { recursive: true, force: true });
  }
}
