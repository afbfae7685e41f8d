// A control program, run by tests in a process of its own: logger-program JSON
import { writeSync } from 'node:fs';
import { VehicleLogger } from '../../src/logger/entry.js';
import type { Program } from './logger-support.js';

const { options, hz, count, end } = JSON.parse(process.argv[2]!) as Program;
const logger = new VehicleLogger({
  ...options,
  onError: ({ code, message }) => writeSync(1, `error ${code} ${message}\n`),
});
let logged = 0;
const log = (): void => {
  const t = logged + 1;
  if (logger.logTelemetry({ timestamp: t, x: 1, y: 2, theta: 0.5, v: 3, state: 'drive' })) logged = t;
};
// At once, without buffers, so that the output matches the log at a kill.
const say = (): number => writeSync(1, `logged ${logged}\n`);

if (hz !== undefined) await logger.ready();
for (const handled of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  if (process.listenerCount(handled) > 0) writeSync(1, `handles ${handled}\n`);
}
say();
if (hz === undefined) {
  for (let i = 0; i < (count ?? 0); i++) log();
  finish();
} else {
  const start = performance.now();
  const timer = setInterval(() => {
    const due = Math.min(((performance.now() - start) * hz) / 1e3, count ?? Infinity);
    // Never so many at once that the queue would be what loses them.
    for (let i = 0; logged < due && i < 100; i++) log();
    say();
    if (logged < (count ?? Infinity)) return;
    clearInterval(timer);
    finish();
  }, 10);
}

function finish(): void {
  say();
  if (end === 'exit') process.exit(3);
  if (end === 'throw') throw new Error('nobody catches this');
}
