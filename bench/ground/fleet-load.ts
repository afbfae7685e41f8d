// Simulated robots in one process: fleet-load uplink|json-samples|json-values URL TOKENS SECONDS; prints one JSON line at
// the end. Robots with an uplink stay after the load until their outboxes are empty.
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/host/system-clock.js';
import { WebSocketTransport } from '../../src/uplink/link/websocket-transport.js';
import { TelemetryEncoder } from '../../src/uplink/protocol/telemetry-encoder.js';
import {
  decodeGroundMessage,
  encodeRobotMessage,
  UPLINK_PROTOCOL,
} from '../../src/uplink/protocol/uplink-messages.js';
import { silentLogger } from '../../src/core/logger.js';
import { OutboxSender } from '../../src/uplink/robot/outbox-sender.js';
import { Redaction } from '../../src/uplink/robot/redaction.js';
import { CONFIRM_TICKS, defaultPace, OUTBOX_PACE_MS, TICK_NS } from '../../src/uplink/robot/uplink-pace.js';
import { fieldNames, fieldSpecs, valuesAt } from './fleet-values.js';
import { MemoryOutbox } from './memory-outbox.js';

const TICK_MS = TICK_NS / 1e6;
/** Connections that open at the same time. */
const OPENING = 50;
/** Samples that the ground did not confirm may take so long after the load. */
const DRAIN_S = 300;

interface SimulatedRobot {
  /** Sends the sample of a tick. */
  readonly sample: (atMs: number) => void;
  /** Samples that are not confirmed. */
  readonly waiting: () => number;
  readonly close: () => void;
}

let bytes = 0;
let samples = 0;
let lost = 0;
/** Samples of outboxes that were sent, each time it was. */
let resent = 0;

async function uplinkRobot(url: string, name: string, token: string, index: number): Promise<SimulatedRobot> {
  const catalogue = { tickNs: TICK_NS, fields: fieldSpecs };
  const run = BigInt(index + 1);
  const outbox = new MemoryOutbox(run, { ...catalogue, version: 1 });
  let encoder: TelemetryEncoder | undefined;
  let tick = 0;
  let welcomed = (): void => undefined;
  const ready = new Promise<void>((resolve) => (welcomed = resolve));
  const connection = await new WebSocketTransport(url, token, systemClock).connect(
    {
      message(data) {
        const message = decodeGroundMessage(data);
        if (message.kind === 'stored') sender.confirmed(message.run, message.firstTick, message.ticks);
        if (message.kind === 'full_request') encoder?.requestFull(message.catalogue);
        if (message.kind !== 'welcome') return;
        encoder = new TelemetryEncoder({
          ...{ run, epoch: message.epoch, catalogue, pace: defaultPace },
        });
        welcomed();
      },
      closed() {
        lost++;
      },
    },
    new AbortController().signal,
  );
  const send = (message: Parameters<typeof encodeRobotMessage>[0]): void => {
    const data = encodeRobotMessage(message);
    bytes += data.byteLength;
    connection.send(data);
  };
  const hello = { kind: 'hello', protocol: UPLINK_PROTOCOL, robot: name, version: 'bench', vin: '' } as const;
  send({ ...hello, outbox: true });
  await ready;
  let isSampling = true;
  const sender = new OutboxSender({
    redaction: new Redaction([]),
    ...{ outbox, connection, clock: systemClock, logger: silentLogger, paceMs: OUTBOX_PACE_MS },
    send(message) {
      if (message.kind === 'outbox') resent += message.samples.length;
      send(message);
    },
    beforeTick: () => (isSampling ? tick - CONFIRM_TICKS : tick),
  });
  return {
    sample(atMs) {
      const [values, timeNs] = [valuesAt(index, atMs), BigInt(atMs) * 1_000_000n];
      outbox.append({ tick, timeNs, values });
      const frames = encoder?.sample(tick++, timeNs, Float64Array.from(values)) ?? [];
      for (const frame of frames) send({ kind: 'telemetry', frame });
      samples++;
    },
    waiting() {
      isSampling = false;
      return outbox.size;
    },
    close() {
      sender[Symbol.dispose]();
      connection.close('the benchmark ends');
    },
  };
}

async function jsonRobot(
  url: string,
  name: string,
  index: number,
  isByValue: boolean,
): Promise<SimulatedRobot> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('close', () => {
    lost++;
  });
  return {
    sample(atMs) {
      const values = valuesAt(index, atMs);
      const messages = isByValue
        ? fieldNames.map((field, i) => ({ robot: name, atMs, field, value: values[i] }))
        : [{ robot: name, atMs, ...Object.fromEntries(fieldNames.map((field, i) => [field, values[i]])) }];
      for (const message of messages) {
        const text = JSON.stringify(message);
        bytes += text.length;
        socket.send(text);
      }
      samples++;
    },
    waiting: () => 0,
    close: () => socket.close(),
  };
}

const [kind = '', url = '', tokenFile = '', seconds = '0'] = process.argv.slice(2);
const tokens = Object.entries(JSON.parse(readFileSync(tokenFile, 'utf8')) as Record<string, string>);
const robots: SimulatedRobot[] = [];
for (let at = 0; at < tokens.length; at += OPENING) {
  const some = tokens.slice(at, at + OPENING);
  robots.push(
    ...(await Promise.all(
      some.map(([name, token], i) =>
        kind === 'uplink'
          ? uplinkRobot(url, name, token, at + i)
          : jsonRobot(url, name, at + i, kind === 'json-values'),
      ),
    )),
  );
}
console.log('connected');
const beganMs = performance.now();
const endMs = beganMs + Number(seconds) * 1_000;
/** Robots are not in step: each part of them sends in its own part of a tick. */
const PARTS = 10;
for (let step = 0; performance.now() < endMs; step++) {
  const dueMs = beganMs + (step * TICK_MS) / PARTS;
  const waitMs = dueMs - performance.now();
  if (waitMs > 0) await systemClock.sleep(waitMs);
  const atMs = Date.now();
  for (let i = step % PARTS; i < robots.length; i += PARTS) robots[i]?.sample(atMs);
}
const lostBefore = lost;
const elapsedS = (performance.now() - beganMs) / 1_000;
const sentBytes = bytes;
const waitingNow = (): number => robots.reduce((sum, robot) => sum + robot.waiting(), 0);
const waitingAtEnd = waitingNow();
const drainBeganMs = performance.now();
while (waitingNow() > 0 && performance.now() < drainBeganMs + DRAIN_S * 1_000) await systemClock.sleep(100);
const outbox = {
  waitingAtEnd,
  resent,
  drainS: (performance.now() - drainBeganMs) / 1_000,
  left: waitingNow(),
};
for (const robot of robots) robot.close();
console.log(
  JSON.stringify({ robots: robots.length, samples, bytes: sentBytes, elapsedS, lost: lostBefore, ...outbox }),
);
process.exit(0);
