import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { defined } from '../../core/defined.js';
import { describeError } from '../../core/errors.js';
import type { MonitoredParameters, MonitoredRecorder, MonitoredSync } from '../../core/monitoring.js';
import { readSymmetricKeys } from '../../encryption/read-symmetric-keys.js';
import type { SymmetricKeys } from '../../encryption/stored-key.js';
import type { SystemPorts } from '../../host/ports.js';
import { version } from '../../host/version.js';
import { readTrust, type GroundTrust } from '../../uplink/link/ground-trust.js';
import type { UplinkTransport } from '../../uplink/link/uplink-transport.js';
import { WebSocketTransport } from '../../uplink/link/websocket-transport.js';
import { defaultRules } from '../../uplink/robot/default-rules.js';
import { Outbox } from '../../uplink/robot/outbox.js';
import type { RobotFacts } from '../../uplink/robot/report-sender.js';
import { UplinkClient } from '../../uplink/robot/uplink-client.js';
import type { UplinkStatus } from '../../uplink/robot/uplink-status.js';
import type { Watch } from '../../monitors/live/watch.js';
import type { Obey } from '../../uplink/robot/command-answerer.js';
import { rulesInForce } from './rules-in-force.js';
import { doCommand } from './uplink-commands.js';
import { fetchDesk } from './uplink-requests.js';
import { UplinkFacts } from './uplink-facts.js';
import type { UplinkOptions } from './monitoring-options.js';

/** The uplinks of a recorder: one for each robot whose token it has. */
export interface Uplinks extends AsyncDisposable {
  status(): readonly UplinkStatus[];
}

/** Connections of one recorder. */
const MAX_ROBOTS = 256;
const TOKEN = /^([A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}):[A-Za-z0-9_-]{20,100}$/;

/** Connects the robots of a recorder to the ground. Rejects if the token file or the key file cannot be used. */
export async function startUplink(
  recorder: MonitoredRecorder,
  sync: MonitoredSync,
  watch: Watch,
  options: UplinkOptions,
  ports: SystemPorts & { readonly parameters?: MonitoredParameters },
): Promise<Uplinks> {
  const tokens = await readTokens(options.tokenFile, ports);
  await readTrust(trustOf(options, ports));
  const keys = await keysOf(options, ports);
  const rules = [...options.fields, ...(options.defaultFields ? defaultRules : [])];
  const { clock, logger, random } = ports;
  const transform = rulesInForce(options.transform, recorder);
  const facts = new UplinkFacts(recorder, watch, { clock, transform });
  const obey: Obey | undefined = options.commands
    ? (command) => doCommand(command, { recorder, sync, parameters: ports.parameters })
    : undefined;
  const clients = new Map<string, UplinkClient>();
  const factsOf = (robot: string): RobotFacts =>
    facts.of(robot, options.outboxMaxBytes === 0 ? undefined : clients.get(robot)?.status());
  for (const [robot, token] of tokens) {
    const transport = await transportOf(options, token, ports);
    const run = Buffer.from(random(8)).readBigUInt64LE();
    const outbox = await openOutbox(robot, run, options, { ...ports, keys });
    const requests = options.commands ? fetchDesk(robot, options.data, sync, ports.fs) : undefined;
    const parts = { transport, clock, logger, randomBytes: random, transform, facts: () => factsOf(robot) };
    const vin = (): string => facts.vinOf(robot);
    const settings = { robot, vin, version, rules, outboxPaceMs: options.outboxPaceMs };
    clients.set(robot, new UplinkClient(settings, { ...parts, ...defined({ obey, requests }), outbox, run }));
  }
  const unlisten = recorder.tap((message) => clients.get(message.channel.robot)?.take(message));
  return {
    status: () => [...clients.values()].map((client) => client.status()),
    async [Symbol.asyncDispose]() {
      unlisten();
      facts[Symbol.dispose]();
      await Promise.all([...clients.values()].map((client) => client[Symbol.asyncDispose]()));
    },
  };
}

/** By the address. What only NATS needs is loaded only for it. */
async function transportOf(
  options: UplinkOptions,
  token: string,
  ports: SystemPorts,
): Promise<UplinkTransport> {
  const { url, credsFile } = options;
  const { clock, random, fs } = ports;
  const trust = trustOf(options, ports);
  if (!url.startsWith('nats')) return new WebSocketTransport(url, token, clock, trust);
  const { NatsTransport } = await import('../../uplink/link/nats-transport.js');
  const creds = credsFile === '' ? undefined : () => fs.readFile(credsFile);
  return new NatsTransport(url, token, { clock, random }, defined({ creds, trust }));
}

function trustOf({ certificateFile: path }: UplinkOptions, { fs }: SystemPorts): GroundTrust | undefined {
  return path === '' ? undefined : { path, read: () => fs.readFile(path) };
}

/** Of the outbox; none: it is readable. */
async function keysOf({ atRestKey }: UplinkOptions, { fs }: SystemPorts): Promise<SymmetricKeys> {
  return atRestKey === '' ? [] : readSymmetricKeys(atRestKey, 'encryption.at_rest_key', fs);
}

/** Undefined: samples of an outage are left out. Telemetry and recording continue without it. */
async function openOutbox(
  robot: string,
  run: bigint,
  { data, outboxMaxBytes }: UplinkOptions,
  ports: SystemPorts & { readonly keys: SymmetricKeys },
): Promise<Outbox | undefined> {
  if (outboxMaxBytes === 0) return undefined;
  const folder = join(data, 'outbox', robot);
  try {
    return await Outbox.open(folder, run, outboxMaxBytes, ports);
  } catch (error) {
    ports.logger.error('the outbox cannot be opened', { folder, error: describeError(error) });
    return undefined;
  }
}

/** Tokens by robot. No message shows a token. */
async function readTokens(path: string, { fs, logger }: SystemPorts): Promise<ReadonlyMap<string, string>> {
  const tokens = new Map<string, string>();
  let lines: readonly string[];
  try {
    lines = (await fs.readFile(path)).toString('utf8').split(/\r?\n/);
    if (((await stat(path)).mode & 0o077) !== 0)
      logger.warn('users other than the owner can read the token file', { file: path });
  } catch (error) {
    throw new Error(`ground.token_file ${path} cannot be read: ${describeError(error)}`, { cause: error });
  }
  for (const [index, line] of lines.entries()) {
    const text = line.replace(/#.*$/, '').trim();
    if (text === '') continue;
    const robot = TOKEN.exec(text)?.[1];
    if (robot === undefined)
      throw new Error(`ground.token_file ${path}: line ${index + 1} is no token of holdfast ground enrol`);
    tokens.set(robot, text);
  }
  if (tokens.size === 0 || tokens.size > MAX_ROBOTS)
    throw new Error(`ground.token_file ${path} has ${tokens.size} tokens, allowed: 1 to ${MAX_ROBOTS}`);
  return tokens;
}
