import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { renderTable } from '../src/host/human.js';
import { NatsServer, event, publishAll } from '../test/support/nats.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { runCase } from './run-child.js';

const MESSAGES = 200_000;
const PAYLOAD_BYTES = 1_000;
const TARGET_PER_S = 20_000;
const variants = ['holdfast', 'plain'] as const;

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMb: number;
}

/**
 * A stream of 1 kB envelopes read to its end through a durable: by the recorder, which acknowledges after the
 * fsync, and by a plain consumer of the same library that acknowledges at once and keeps nothing.
 */
export async function benchNats({ folder, rounds, scale, say }: BenchContext): Promise<BenchReport> {
  const messages = Math.max(10_000, Math.round(MESSAGES * scale));
  const server = await NatsServer.start();
  const runs: Record<(typeof variants)[number], Run[]> = { holdfast: [], plain: [] };
  try {
    const connection = await server.connect();
    await server.addStream({ name: 'BENCH', subjects: ['bench'], max_bytes: -1 });
    const payloads = Array.from({ length: 1_000 }, (_, i) =>
      event(i, { eventPayload: randomBytes(PAYLOAD_BYTES) }),
    );
    for (let sent = 0; sent < messages; sent += payloads.length)
      await publishAll(connection, 'bench', payloads);
    const { state } = await (await jetstreamManager(connection)).streams.info('BENCH');
    for (let round = 0; round < rounds; round++) {
      for (const variant of variants) {
        const data = await mkdtemp(join(folder, 'nats-'));
        const args = [variant, server.address, 'BENCH', `${variant}${round}`, state.messages, data];
        runs[variant].push(await runCase<Run>('nats-case', args));
      }
    }
  } finally {
    await server.stop();
  }
  return report(runs, messages, say);
}

function report(
  runs: Readonly<Record<(typeof variants)[number], readonly Run[]>>,
  messages: number,
  say: (line: string) => void,
): BenchReport {
  const of = (variant: (typeof variants)[number], value: (run: Run) => number): number =>
    median(runs[variant].map(value));
  const rate = (variant: (typeof variants)[number]): number =>
    messages / of(variant, ({ seconds }) => seconds);
  const ratio = rate('holdfast') / rate('plain');
  say('');
  say(
    `NATS JetStream: ${messages} messages of 1 kB through one durable, from the first to the last acknowledgement`,
  );
  const heads = ['', 'msg/s', 'of plain', 'CPU µs/msg', 'peak MB'];
  const rows = variants.map((variant) => [
    variant,
    rate(variant).toFixed(0),
    (rate(variant) / rate('plain')).toFixed(2),
    ((of(variant, ({ cpuSeconds }) => cpuSeconds) * 1e6) / messages).toFixed(1),
    of(variant, ({ peakMb }) => peakMb).toFixed(0),
  ]);
  renderTable(
    heads.map((head, i) => ({ head, right: i > 0 })),
    rows,
  ).forEach((line) => say(line));
  const holdfastPerS = rate('holdfast');
  return {
    results: { messages, holdfastPerS, plainPerS: rate('plain'), ratio, runs },
    misses:
      holdfastPerS < TARGET_PER_S ? [`nats: ${holdfastPerS.toFixed(0)} msg/s, target ${TARGET_PER_S}`] : [],
  };
}
