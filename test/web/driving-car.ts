import { randomBytes } from 'node:crypto';
import { silentLogger } from '../../src/core/logger.js';
import type { Channel } from '../../src/core/message.js';
import { present } from '../../src/core/present.js';
import { CdrWriter } from '../../src/core/ros/cdr-writer.js';
import type { SampleBatch } from '../../src/ground/history/sample-batch.js';
import { systemClock } from '../../src/host/system-clock.js';
import { parseFieldRule } from '../../src/settings/field-rule.js';
import type { FieldSpec } from '../../src/uplink/protocol/field-spec.js';
import { WebSocketTransport } from '../../src/uplink/link/websocket-transport.js';
import type { RobotFacts } from '../../src/uplink/robot/report-sender.js';
import { UplinkClient } from '../../src/uplink/robot/uplink-client.js';

const rules = [
  ['/telemetry', 'v', 'mph', 2],
  ['/energy', 'power', 'kW', 5],
  ['/energy', 'charge', '%', 0.5],
  ['/energy', 'consumption', 'Wh/km', 10],
  ['/energy', 'temperature', '°C', 0.5],
] as const;

/** An array for each robot, as each sends its own. */
const fieldsOf = (): readonly FieldSpec[] =>
  rules.map(([topic, path, unit, threshold]) => ({
    ...{ topic, path, unit, threshold, quantum: threshold / 8, everyTicks: 1, predictor: 'hold' },
  }));

/** What a car that goes through towns and along a motorway measures, in the order of the rules. */
export function carAt(s: number): readonly number[] {
  const isTown = Math.floor(s / 1_500) % 3 === 0;
  const wave = Math.sin(s / 17) + 0.6 * Math.sin(s / 5.3 + 1);
  const v = isTown ? Math.max(0, 22 + 18 * wave) : 64 + 5 * wave;
  const power = isTown ? 4 + 14 * Math.cos(s / 17) : 19 + 5 * Math.cos(s / 17);
  const charge = 92 - ((s / 60) % 240) * 0.21;
  return [v, power, charge, isTown ? 205 : 178, 31 + 2 * Math.sin(s / 900)];
}

/** A stretch of the history of a car, a sample per second. */
export function carHistory(robot: string, fromS: number, seconds: number): SampleBatch {
  return {
    ...{
      robot,
      run: 7n,
      fields: fieldsOf(),
      tickNs: 1_000_000_000,
      firstTick: fromS % 1e9,
      full: false,
      ticks: seconds,
    },
    timeNs: BigInt(fromS) * 1_000_000_000n,
    values: Array.from({ length: seconds }, (_, i) => carAt(fromS + i)).flat(),
  };
}

/** A car that is connected. */
export class DrivingCar implements AsyncDisposable {
  readonly client: UplinkClient;
  facts: RobotFacts = {
    ...{ figures: { state: 'recording', pendingBytes: 0, link: 'online' }, alerts: [] },
    ...{ segments: [], events: [] },
  };
  readonly #timer: NodeJS.Timeout;

  constructor(robot: string, url: string, token: string) {
    const transport = new WebSocketTransport(url, token, systemClock);
    const parsed = rules.map(([topic, path, unit, threshold]) =>
      present(parseFieldRule(`${topic}.${path} threshold=${threshold} unit=${unit}`)),
    );
    const ports = {
      ...{ transport, clock: systemClock, logger: silentLogger, randomBytes, facts: () => this.facts },
      obey: () => Promise.resolve('done as asked'),
    };
    this.client = new UplinkClient({ robot, vin: () => '', version: '0.1.0', rules: parsed }, ports);
    this.#timer = setInterval(() => this.#drive(robot), 50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.client[Symbol.asyncDispose]();
  }

  #drive(robot: string): void {
    const atNs = systemClock.now();
    const [v = 0, ...rest] = carAt(Number(atNs / 1_000_000n) / 1_000);
    const send = (topic: string, names: readonly string[], values: readonly number[]): void => {
      const writer = new CdrWriter().begin();
      for (const value of values) writer.f64(value);
      const channel = channelOf(robot, topic, names);
      const data = writer.finish();
      this.client.take({ kind: 'message', channel, data, receivedAt: atNs, publishedAt: atNs });
    };
    send('/telemetry', ['v'], [v]);
    send('/energy', ['power', 'charge', 'consumption', 'temperature'], rest);
  }
}

const channels = new Map<string, Channel>();

/** The same object each time, as a source has it. */
function channelOf(robot: string, topic: string, names: readonly string[]): Channel {
  const key = `${robot} ${topic}`;
  const known = channels.get(key);
  if (known !== undefined) return known;
  const definition = names.map((name) => `float64 ${name}\n`).join('');
  const schema = {
    ...{ name: `demo_msgs/msg${topic.replace('/', '/C')}`, encoding: 'ros2msg' },
    data: new TextEncoder().encode(definition),
  } as const;
  const channel: Channel = { robot, topic, encoding: 'cdr', metadata: {}, latched: false, schema };
  channels.set(key, channel);
  return channel;
}
