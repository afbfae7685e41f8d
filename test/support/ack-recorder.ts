// A recorder in a process of its own, to be killed: records numbered messages and writes every
// acknowledged number to standard output before anything else can happen to it.
//
//   ack-recorder DATA CHANNELS FIRST_NUMBER RATE_PER_S
import { writeSync } from 'node:fs';
import { Observable } from 'rxjs';
import type { Channel } from '../../src/core/message.js';
import type { Source, SourceContext, SourceEvent } from '../../src/core/source.js';
import { compileRecorderOptions } from '../../src/app/parameters/compile-recorder.js';
import { resolve } from '../../src/app/parameters/resolve.js';
import { Recorder } from '../../src/app/recorder.js';
import { createStreamLogger } from '../../src/app/system/stream-logger.js';
import { systemPorts } from '../../src/app/system/ports.js';
import { payloadOf } from './numbered-message.js';

const TICK_MS = 5;
const [data = '', channelCount = '4', first = '1', rate = '2000'] = process.argv.slice(2);

const channels = Array.from({ length: Number(channelCount) }, (_, index): Channel => {
  return Object.freeze({
    robot: `robot${index % 2}`,
    topic: `/robot${index % 2}/numbers${index}`,
    encoding: 'cdr',
    schema: { name: 'test_msgs/msg/Number', encoding: 'ros2msg', data: Buffer.from('uint8[] data') },
    metadata: {},
    latched: false,
  });
});

/** Acknowledgements of one commit, written in one go: a line `channel number number ...` per channel. */
class AckLog {
  private pending = new Map<number, number[]>();

  add(channel: number, number: number): void {
    if (this.pending.size === 0) queueMicrotask(() => this.flush());
    const numbers = this.pending.get(channel);
    if (numbers) numbers.push(number);
    else this.pending.set(channel, [number]);
  }

  private flush(): void {
    const lines = [...this.pending].map(([channel, numbers]) => `ack ${channel} ${numbers.join(' ')}\n`);
    this.pending = new Map();
    writeSync(1, lines.join(''));
  }
}

class NumberSource implements Source {
  readonly uri = 'test:numbers';
  readonly supports = { finite: false, backpressure: false, sequences: true, acknowledgement: true };

  open({ clock, signal }: SourceContext): Observable<SourceEvent> {
    return new Observable((subscriber) => {
      const acks = new AckLog();
      let next = Number(first);
      const timer = setInterval(() => {
        for (let i = 0; i < (Number(rate) * TICK_MS) / 1000 / channels.length; i++) {
          for (const [index, channel] of channels.entries()) {
            const number = next;
            const now = clock.now();
            subscriber.next({
              kind: 'message',
              channel,
              data: payloadOf(index, number),
              receivedAt: now,
              publishedAt: now,
              sourceSequence: number,
              ack: () => acks.add(index, number),
            });
          }
          next++;
        }
      }, TICK_MS);
      const end = (): void => {
        clearInterval(timer);
        subscriber.complete();
      };
      signal.addEventListener('abort', end, { once: true });
      return () => clearInterval(timer);
    });
  }
}

const flags = {
  data,
  sources: ['sim:'],
  'segment.max_bytes': '1MiB',
  'segment.max_age_ms': '400ms',
  'retention.min_free_bytes': '0',
  'retention.min_free_percent': 0,
  ballast_bytes: '0',
};
const options = compileRecorderOptions(resolve('recorder', undefined, flags), { hostname: 'test' });
const logger = createStreamLogger({
  level: 'error',
  nowMs: Date.now,
  write: (line) => void process.stderr.write(line),
});
const recorder = await Recorder.open(
  options,
  [{ source: new NumberSource(), robot: 'robot0', robotFromNamespace: true }],
  systemPorts(logger),
);
writeSync(1, 'ready\n');
process.on('SIGTERM', () => void recorder.close());
await recorder.done;
