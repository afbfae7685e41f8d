// The thread of all loggers of a process (logger-host.ts starts it).
import { parentPort, workerData } from 'node:worker_threads';
import { systemTimers, wallClockMs } from '../host/system-clock.js';
import { silentLogger } from '../core/logger.js';
import { present } from '../core/present.js';
import { ThreadNumber, ThreadWord, type ThreadData, type ToThread } from './logger-protocol.js';
import { LoggerThread } from './logger-thread.js';
import { runBehind } from './thread-priority.js';
import { WallOffset } from './wall-clock.js';

/** How often the clock is compared. */
const CLOCK_MS = 200;

const { shared, monotonicOffsetMs } = workerData as ThreadData;
const words = new Int32Array(shared);
const numbers = new Float64Array(shared);
const port = present(parentPort);

const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const offset = new WallOffset(numbers[ThreadNumber.wallOffsetMs]!);
systemTimers.every(
  CLOCK_MS,
  () => {
    const now = monotonicMs() - monotonicOffsetMs;
    if (offset.update(wallClockMs(), now)) numbers[ThreadNumber.wallOffsetMs] = offset.ms;
  },
  { background: true },
);

// Before anything else: threads that this one starts, such as sealing threads, begin with its priority.
Atomics.store(words, ThreadWord.niceness, runBehind());

const thread = new LoggerThread({
  post: (message) => port.postMessage(message),
  monotonicMs,
  nowUs: () => Math.round((monotonicMs() - monotonicOffsetMs + offset.ms) * 1e3),
  logger: silentLogger,
});

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'open':
      thread.open(message.logger);
      return;
    case 'channel':
      thread.addChannel(message.id, message.channel);
      return;
    case 'close':
      void thread.close(message.id);
      return;
    case 'end':
      void thread.end(message.withinMs).then(() => {
        Atomics.store(words, ThreadWord.ended, 1);
        Atomics.notify(words, ThreadWord.ended);
      });
  }
});
