// Memory of loggers beyond the thread they share, in a process of its own: logger-memory-case LOGGERS FOLDER, run with
// --expose-gc; prints one JSON line.
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { VehicleLogger } from '../src/logger/entry.js';
import { sleep } from '../src/testing/waiting.js';

const [count = '5', folder = ''] = process.argv.slice(2);

const make = (vehicleId: number): VehicleLogger => new VehicleLogger({ vehicleId, dir: join(folder, 'csv') });
const used = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await sleep(100);
  }
  return getHeapStatistics().used_heap_size;
};

// The first brings the thread and what all share.
const first = make(0);
await first.ready();
const before = await used();
const loggers = Array.from({ length: Number(count) }, (_, index) => make(index + 1));
await Promise.all(loggers.map((one) => one.ready()));
for (const one of loggers) {
  for (let i = 0; i < 500; i++) one.logTelemetry({ timestamp: i, x: 1, y: 2, theta: 3, v: 4 });
}
const heapBytes = ((await used()) - before) / loggers.length;
const queueBytes = Object.values(loggers[0]!.stats().queues).reduce(
  (sum, queue) => sum + queue.capacityBytes,
  0,
);
await Promise.all([first, ...loggers].map((one) => one.close()));
console.log(JSON.stringify({ loggers: loggers.length, heapBytes, queueBytes }));
process.exit(0);
