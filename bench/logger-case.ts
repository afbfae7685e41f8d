// One way to log from a control loop, in a process of its own: logger-case VARIANT MODE SECONDS FOLDER MARKER; prints
// one JSON line. MODE `loop`: a loop at 1 kHz between turns of the event loop notes how late each round begins and how
// long its log call takes. MODE `burst`: many calls in a row, so that the call itself shows and not the cold caches of a
// processor that waited. MARKER: a file that is made when the measurement begins.
import { mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import pino from 'pino';
import { VehicleLogger, type TelemetrySample } from '../src/logger/entry.js';
import { quantile } from './measure.js';
import { sleep } from '../src/testing/waiting.js';

const HZ = 1_000;
const PERIOD_MS = 1_000 / HZ;
/** Every so many rounds vehicle-to-vehicle messages come in, as at 20 Hz of 4 others. */
const FLEET_EVERY = 50;
const WARM_UP_ROUNDS = 5 * HZ;
/** Calls in a row, and the pause behind them in which the consumer empties its queues. */
const BURST = 500;
const BURST_PAUSE_MS = 30;

const [variant = 'none', mode = 'loop', seconds = '10', folder = '', marker = ''] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

/** What a variant does with what the loop gives it. */
interface Way {
  telemetry(sample: TelemetrySample): void;
  fleet(senderId: number, timestamp: number, states: readonly object[]): void;
  close(): Promise<unknown>;
}

const file = (): string => join(folder, `${variant}.log`);
const ways: Readonly<Record<string, () => Way | Promise<Way>>> = {
  none: () => ({ telemetry: () => {}, fleet: () => {}, close: async () => {} }),
  'holdfast-csv': () => holdfast({ dir: join(folder, 'csv') }),
  'holdfast-wal': () => holdfast({ wal: join(folder, 'rec') }),
  'holdfast-both': () => holdfast({ dir: join(folder, 'csv'), wal: join(folder, 'rec') }),
  'pino-async': () => {
    const destination = pino.destination({ dest: file(), sync: false, minLength: 4096 });
    const logger = pino({ base: null }, destination);
    return {
      telemetry: (sample) => logger.info(sample),
      fleet: (senderId, timestamp, states) => logger.info({ senderId, timestamp, states }),
      close: () => new Promise((done) => destination.flush(() => done(undefined))),
    };
  },
  'write-sync': () => {
    const fd = openSync(file(), 'a');
    const write = (value: unknown): void => void writeSync(fd, `${JSON.stringify(value)}\n`);
    return {
      telemetry: write,
      fleet: (senderId, timestamp, states) => write({ senderId, timestamp, states }),
      close: async () => {},
    };
  },
  'post-message': () => {
    const worker = new Worker("require('node:worker_threads').parentPort.on('message', () => {})", {
      eval: true,
    });
    return {
      telemetry: (sample) => worker.postMessage(sample),
      fleet: (senderId, timestamp, states) => worker.postMessage({ senderId, timestamp, states }),
      close: () => worker.terminate(),
    };
  },
};

async function holdfast(folders: { readonly dir?: string; readonly wal?: string }): Promise<Way> {
  const { wal, ...csv } = folders;
  const parameters = { ballast_bytes: '0', 'retention.min_free_bytes': '0' };
  const logger = new VehicleLogger({
    vehicleId: 1,
    ...csv,
    ...(wal === undefined ? {} : { wal: { data: wal, parameters } }),
  });
  await logger.ready();
  return {
    telemetry: (sample) => void logger.logTelemetry(sample),
    fleet: (senderId, timestamp, states) =>
      void logger.logFleetEstimation(
        senderId,
        timestamp,
        states as Parameters<VehicleLogger['logFleetEstimation']>[2],
      ),
    close: () => logger.close(),
  };
}

const way = await ways[variant]!();
const rounds = Math.ceil(Number(seconds) * (mode === 'burst' ? 10 * HZ : HZ));
const late = new Float64Array(rounds);
const cost = new Float64Array(rounds);
const states = [0, 1, 2, 3, 4].map((vehicleId) => ({ vehicleId, x: 1.5, y: 2.5, theta: 0.1, v: 3 }));
const sample: { -readonly [Key in keyof TelemetrySample]: TelemetrySample[Key] } = {
  timestamp: 0,
  x: 0,
  y: 0,
  theta: 0.5,
  v: 3,
  yawRate: 0.01,
  acceleration: 0.2,
  steering: 0.05,
  steeringCommand: 0.06,
  throttle: 0.3,
  brake: 0,
  vRef: 3.5,
  state: 'follow_leader',
};

/** One round: a little work, as a controller's, and the log call. Returns what the call took, ms. */
function round(index: number): number {
  sample.timestamp = index / HZ;
  sample.x = Math.sin(index / 1_000) * 10;
  sample.y = Math.cos(index / 1_000) * 10;
  for (let i = 0; i < 200; i++) sample.theta = Math.atan2(sample.y, sample.x + i * 1e-9);
  const before = performance.now();
  way.telemetry(sample);
  const after = performance.now();
  if (index % FLEET_EVERY === 0) way.fleet(2, index / HZ, states);
  return after - before;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
if (mode === 'burst') await bursts();
else await loop();
const closed = (await way.close()) as { readonly dropped?: number } | undefined;
console.log(
  JSON.stringify({ callUs: quantiles(cost), lateUs: quantiles(late), dropped: closed?.dropped ?? 0 }),
);
process.exit(0);

async function loop(): Promise<void> {
  if (marker !== '') writeFileSync(marker, '');
  const begin = performance.now() + 10;
  for (let index = -WARM_UP_ROUNDS; index < rounds; index++) {
    const due = begin + (index + WARM_UP_ROUNDS) * PERIOD_MS;
    while (performance.now() < due) await turn();
    const lateMs = performance.now() - due;
    const costMs = round(index);
    if (index < 0) continue;
    late[index] = lateMs;
    cost[index] = costMs;
  }
}

async function bursts(): Promise<void> {
  for (let index = -WARM_UP_ROUNDS; index < rounds; index++) {
    if (index % BURST === 0) await sleep(BURST_PAUSE_MS);
    sample.timestamp = index / HZ;
    const before = performance.now();
    way.telemetry(sample);
    const after = performance.now();
    if (index >= 0) cost[index] = after - before;
  }
}

function quantiles(values: Float64Array): Record<'p50' | 'p99' | 'p999' | 'max', number> {
  const all = Array.from(values);
  const us = (q: number): number => quantile(all, q) * 1e3;
  return { p50: us(0.5), p99: us(0.99), p999: us(0.999), max: us(1) };
}
