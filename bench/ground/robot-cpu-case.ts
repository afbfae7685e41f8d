// CPU of uplinks with their outboxes: robot-cpu-case URL|no SECONDS TOKENS FOLDER; with uplinks to the ground at URL or
// without, the same messages at 50 Hz of each robot. Prints one JSON line with the CPU seconds of the process.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/logger.js';
import type { Channel } from '../../src/core/message.js';
import { CdrWriter } from '../../src/core/ros/cdr-writer.js';
import { systemClock } from '../../src/host/system-clock.js';
import { WebSocketTransport } from '../../src/uplink/link/websocket-transport.js';
import { Outbox } from '../../src/uplink/robot/outbox.js';
import { parseFieldRule, type FieldRule } from '../../src/settings/field-rule.js';
import { UplinkClient } from '../../src/uplink/robot/uplink-client.js';
import { fieldNames, fieldSpecs, valuesAt } from './fleet-values.js';

const PERIOD_MS = 20;

const OUTBOX_BYTES = 64 * 1024 * 1024;

const [url = 'no', seconds = '10', tokenFile = '', folder = ''] = process.argv.slice(2);
const tokens = Object.entries(JSON.parse(readFileSync(tokenFile, 'utf8')) as Record<string, string>);
const rules = fieldSpecs.map(({ path, threshold }): FieldRule => {
  const rule = parseFieldRule(`*.${path} threshold=${threshold}`);
  if (rule === undefined) throw new Error(path);
  return rule;
});
const channel: Channel = {
  ...{ robot: 'robot', topic: '/state', encoding: 'cdr', metadata: {}, latched: false },
  schema: {
    ...{ name: 'bench/msg/State', encoding: 'ros2msg' },
    data: new TextEncoder().encode(fieldNames.map((name) => `float64 ${name}\n`).join('')),
  },
};
async function uplinkOf(robot: string, token: string): Promise<UplinkClient> {
  const run = randomBytes(8).readBigUInt64LE();
  const random = randomBytes;
  const ports = { clock: systemClock, logger: silentLogger };
  const outbox = await Outbox.open(join(folder, `${robot}-${run}`), run, OUTBOX_BYTES, {
    ...ports,
    fs,
    random,
  });
  const transport = new WebSocketTransport(url, token, systemClock);
  const options = { robot, version: 'bench', rules };
  return new UplinkClient(options, { ...ports, transport, randomBytes, outbox, run });
}

const clients = url === 'no' ? [] : await Promise.all(tokens.map(([robot, token]) => uplinkOf(robot, token)));
const writer = new CdrWriter();
const timer = setInterval(() => {
  for (const robot of tokens.keys()) {
    writer.begin();
    for (const value of valuesAt(robot, Date.now())) writer.f64(value);
    const at = systemClock.now();
    clients[robot]?.take({
      kind: 'message',
      channel,
      data: writer.finish(),
      receivedAt: at,
      publishedAt: at,
    });
  }
}, PERIOD_MS);
// The start is not measured.
await systemClock.sleep(3_000);
const isOpen = clients.every((client) => client.status().state === 'open');
if (!isOpen) throw new Error('an uplink is not connected');
const before = process.cpuUsage();
await systemClock.sleep(Number(seconds) * 1_000);
const { user, system } = process.cpuUsage(before);
clearInterval(timer);
const frames = clients.reduce((sum, client) => sum + client.status().sentFrames, 0);
const waiting = clients.reduce((sum, client) => sum + client.status().waitingSamples, 0);
console.log(JSON.stringify({ cpuS: (user + system) / 1e6, seconds: Number(seconds), frames, waiting }));
process.exit(0);
