// A recorder in a process of its own, to be killed: records numbered messages and writes every
// acknowledged number to standard output before anything else can happen to it.
//
//   ack-recorder DATA CHANNELS FIRST_NUMBER RATE_PER_S [MAX_BYTES [IN_PLACE [RECIPIENT [KEY_FILE]]]]
//
// With IN_PLACE `always`, payloads from 4 KiB on are written in place. With MAX_BYTES retention evicts, on answers of stores that are at most two seconds old.
import { writeSync } from 'node:fs';
import { Observable } from 'rxjs';
import type { Channel } from '../../src/core/message.js';
import type { Source, SourceContext, SourceEvent } from '../../src/core/source.js';
import { compileRecorderOptions } from '../../src/settings/compile-recorder.js';
import { resolve } from '../../src/settings/resolve.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { createStreamLogger } from '../../src/host/stream-logger.js';
import { systemPorts } from '../../src/host/ports.js';
import { payloadOf } from './numbered-message.js';

const TICK_MS = 5;
/** A busy machine ticks late: then the messages of at most this much time are sent. */
const CATCH_UP_MS = 500;
const given = process.argv.slice(2);
const [data = '', channelCount = '4', first = '1', rate = '2000', maxBytes = '0', inPlace = 'never'] = given;
/** Segments are encrypted for it when they are sealed. */
const recipient = given[6];
/** The WAL is encrypted with its first key. */
const keyFile = given[7];

const channels = Array.from({ length: Number(channelCount) }, (_, index): Channel => {
  return Object.freeze({
    robot: `robot${index % 2}`,
    topic: `/robot${index % 2}/numbers${index}`,
    encoding: 'application/octet-stream',
    schema: { name: '', encoding: '', data: Buffer.alloc(0) },
    metadata: {},
    latched: false,
  });
});

/** Acknowledgements of one commit, written in one go: a line `channel number number ...` per channel. */
class AckLog {
  #pending = new Map<number, number[]>();

  add(channel: number, number: number): void {
    if (this.#pending.size === 0) queueMicrotask(() => this.#flush());
    const numbers = this.#pending.get(channel);
    if (numbers) numbers.push(number);
    else this.#pending.set(channel, [number]);
  }

  #flush(): void {
    const lines = [...this.#pending].map(([channel, numbers]) => `ack ${channel} ${numbers.join(' ')}\n`);
    this.#pending = new Map();
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
      let due = 0;
      let last = performance.now();
      const timer = setInterval(() => {
        const elapsedMs = Math.min(CATCH_UP_MS, performance.now() - last);
        last = performance.now();
        due += (Number(rate) * elapsedMs) / 1000 / channels.length;
        for (; due >= 1; due--) {
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
  'segment.max_bytes': maxBytes === '0' ? '1MiB' : '256KiB',
  'segment.max_age_ms': '400ms',
  'seal.in_place': inPlace,
  ...(recipient === undefined ? {} : { 'encryption.recipients': [recipient] }),
  ...(keyFile === undefined ? {} : { 'encryption.at_rest_key': keyFile }),
  'seal.in_place_min_bytes': '4KiB',
  'retention.min_free_bytes': '0',
  'retention.min_free_percent': 0,
  'retention.max_bytes': maxBytes,
  'retention.confirm_max_age_ms': '2s',
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
