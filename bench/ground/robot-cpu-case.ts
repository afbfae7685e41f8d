// CPU of uplinks: robot-cpu-case yes|no SECONDS ROBOTS; with or without the uplinks, the same messages at 50 Hz each.
// Prints one JSON line with the CPU seconds of the process.
import { randomBytes } from 'node:crypto';
import { silentLogger } from '../../src/core/logger.js';
import type { Channel } from '../../src/core/message.js';
import { CdrWriter } from '../../src/core/ros/cdr-writer.js';
import { systemClock } from '../../src/host/system-clock.js';
import { parseFieldRule, type FieldRule } from '../../src/settings/field-rule.js';
import type { UplinkTransport } from '../../src/uplink/link/uplink-transport.js';
import { encodeGroundMessage, UPLINK_PROTOCOL } from '../../src/uplink/protocol/uplink-messages.js';
import { UplinkClient } from '../../src/uplink/robot/uplink-client.js';
import { fieldNames, fieldSpecs, valuesAt } from './fleet-values.js';

const PERIOD_MS = 20;

const [isOn, seconds = '10', robots = '1'] = process.argv.slice(2);
const rules = fieldSpecs.map(({ path, threshold }): FieldRule => {
  const rule = parseFieldRule(`*.${path} threshold=${threshold}`);
  if (rule === undefined) throw new Error(path);
  return rule;
});
/** Takes what is sent, like a socket that is never full. */
const transport: UplinkTransport = {
  address: 'ws://nowhere',
  connect(events) {
    setImmediate(() =>
      events.message(encodeGroundMessage({ kind: 'welcome', protocol: UPLINK_PROTOCOL, epoch: 1 })),
    );
    return Promise.resolve({ waitingBytes: 0, send: () => undefined, close: () => undefined });
  },
};
const channel: Channel = {
  ...{ robot: 'robot', topic: '/state', encoding: 'cdr', metadata: {}, latched: false },
  schema: {
    ...{ name: 'bench/msg/State', encoding: 'ros2msg' },
    data: new TextEncoder().encode(fieldNames.map((name) => `float64 ${name}\n`).join('')),
  },
};
const ports = { transport, clock: systemClock, logger: silentLogger, randomBytes };
const clients = Array.from({ length: Number(robots) }, () =>
  isOn === 'yes' ? new UplinkClient({ robot: 'robot', version: 'bench', rules }, ports) : undefined,
);
const timer = setInterval(() => {
  for (const [robot, client] of clients.entries()) {
    const writer = new CdrWriter().begin();
    for (const value of valuesAt(robot, Date.now())) writer.f64(value);
    const at = systemClock.now();
    client?.take({ kind: 'message', channel, data: writer.finish(), receivedAt: at, publishedAt: at });
  }
}, PERIOD_MS);
// The start is not measured.
await systemClock.sleep(1_000);
const before = process.cpuUsage();
await systemClock.sleep(Number(seconds) * 1_000);
const { user, system } = process.cpuUsage(before);
clearInterval(timer);
const frames = clients.reduce((sum, client) => sum + (client?.status().sentFrames ?? 0), 0);
console.log(JSON.stringify({ cpuS: (user + system) / 1e6, seconds: Number(seconds), frames }));
process.exit(0);
