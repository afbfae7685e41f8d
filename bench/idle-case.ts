// A recorder with 300 quiet topics, in a process of its own: idle-case SECONDS DATA; prints one JSON line.
import { rm } from 'node:fs/promises';
import { Observable } from 'rxjs';
import { compileRecorderOptions } from '../src/settings/compile-recorder.js';
import { resolve } from '../src/settings/resolve.js';
import { Recorder } from '../src/recorder/recorder.js';
import { systemPorts } from '../src/host/ports.js';
import { silentLogger } from '../src/core/logger.js';
import type { Source, SourceEvent } from '../src/core/source.js';
import { resident } from './measure.js';
import { benchChannel } from './wal-variants.js';
import { sleep } from '../src/testing/waiting.js';

const TOPICS = 300;
const [seconds = '20', data = ''] = process.argv.slice(2);

/** Every topic is there, says something once, and then nothing: the source itself costs nothing. */
const quiet: Source = {
  uri: 'bench:quiet',
  supports: { finite: false, backpressure: false, sequences: false, acknowledgement: false },
  open: ({ clock, signal }) =>
    new Observable<SourceEvent>((subscriber) => {
      for (let topic = 0; topic < TOPICS; topic++) {
        const channel = Object.freeze({ ...benchChannel, topic: `/robot1/quiet${topic}` });
        const now = clock.now();
        subscriber.next({
          kind: 'message',
          channel,
          data: Buffer.alloc(100),
          receivedAt: now,
          publishedAt: now,
        });
      }
      signal.addEventListener('abort', () => subscriber.complete(), { once: true });
    }),
};

const resolved = resolve('recorder', undefined, { data, sources: ['sim:'] });
const options = compileRecorderOptions(resolved, { hostname: 'bench' });
const input = { source: quiet, robot: 'robot1', robotFromNamespace: false };
const recorder = await Recorder.open(options, [input], systemPorts(silentLogger));
// The ballast is being written in the first seconds.
await sleep(10_000);
const before = process.cpuUsage();
const start = performance.now();
await sleep(Number(seconds) * 1000);
const used = process.cpuUsage(before);
const cpuPercent = (used.user + used.system) / 10 / (performance.now() - start);
await recorder.close();
await rm(data, { recursive: true, force: true });
console.log(JSON.stringify({ cpuPercent, residentMb: resident().now / 1e6 }));
