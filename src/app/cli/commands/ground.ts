import { onAbort } from '../../../core/on-abort.js';
import { HoldfastError } from '../../../core/errors.js';
import { exitCodes } from '../../../host/exit-code.js';
import { makeDataFolder } from '../../../host/make-data-folder.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import type { RobotRegistry } from '../../../ground/robot-registry.js';

const DEFAULT_LISTEN = '127.0.0.1:8090';
const END_PATIENCE_MS = 2_000;

export const groundCommand: CommandDefinition = {
  name: 'ground',
  summary: 'show the live telemetry of a fleet (first part: docs/uplink.md says what is missing)',
  description:
    'Takes the live telemetry of robots that record with --ground-url, and shows the latest value of each ' +
    'field at http://ADDRESS/api/robots, within its threshold or marked unknown. Values are kept in memory ' +
    'only: there is no history yet.\n\nEach robot needs a token. enrol prints a new one for a robot, revoke ' +
    'ends the right to connect, and robots lists the enrolled ones. All three work while the ground runs. ' +
    'The API answers only this machine.',
  examples: [
    ['holdfast ground --data ground --listen 0.0.0.0:8090', 'until Ctrl-C'],
    ['holdfast ground enrol robot_7 --data ground > robot_7.token', 'the token of a robot, printed once'],
    ['holdfast ground revoke robot_7 --data ground', 'within 5 s the robot is disconnected'],
  ],
  parameters: ['log.level', 'log.format'],
  configure(command) {
    command
      .argument('[action]', 'enrol, revoke or robots; without it, the ground runs')
      .argument('[robot]', 'name of a robot, for enrol and revoke')
      .option('--data <folder>', 'folder of the ground: tokens and epochs', 'ground')
      .option('--listen <address>', 'address and port; without TLS, so use it inside a VPN', DEFAULT_LISTEN);
  },
  async run(invocation) {
    const { args, options, ports } = invocation;
    const [action, robot] = args;
    const folder = String(options['data']);
    const { RobotRegistry } = await import('../../../ground/robot-registry.js');
    const registry = new RobotRegistry(folder, ports);
    if (action === undefined) return await runGround(registry, folder, invocation);
    if (action === 'robots' && robot === undefined) return await list(registry, invocation);
    if (action === 'enrol' && robot !== undefined) {
      await makeDataFolder(ports.fs, folder);
      const token = await registry.enrol(robot);
      await invocation.say(token);
      return { exitCode: exitCodes.ok, json: { ok: true, robot, token } };
    }
    if (action === 'revoke' && robot !== undefined) return await revoke(registry, robot, invocation);
    throw new HoldfastError('REQUEST_INVALID', `ground ${args.join(' ')}: ${ALLOWED}`, { facts: { args } });
  },
};

const ALLOWED = 'allowed: enrol ROBOT, revoke ROBOT, robots, or nothing';

async function list(registry: RobotRegistry, invocation: Invocation): Promise<CommandResult> {
  const robots = await registry.list();
  for (const robot of robots) await invocation.say(robot);
  return { exitCode: exitCodes.ok, json: { ok: true, robots } };
}

async function revoke(
  registry: RobotRegistry,
  robot: string,
  invocation: Invocation,
): Promise<CommandResult> {
  const ok = await registry.revoke(robot);
  await invocation.say(ok ? `${robot} may no longer connect` : `${robot} is not enrolled`);
  return { exitCode: ok ? exitCodes.ok : exitCodes.failed, json: { ok, robot } };
}

async function runGround(
  registry: RobotRegistry,
  folder: string,
  invocation: Invocation,
): Promise<CommandResult> {
  const { ports, logger, options, stop } = invocation;
  const { Fleet } = await import('../../../ground/fleet.js');
  const { GroundServer } = await import('../../../ground/ground-server.js');
  const place = parseListen(String(options['listen']));
  await makeDataFolder(ports.fs, folder);
  using fleet = new Fleet(registry, ports);
  await using server = await GroundServer.listen(place, fleet, ports);
  logger.info('the ground listens', { address: place.address, port: server.port, data: folder });
  await new Promise<void>((resolve) => onAbort(stop.signal, resolve));
  stop.endWithin(END_PATIENCE_MS);
  const robots = fleet.robots().length;
  return { exitCode: exitCodes.ok, json: { ok: true, robots } };
}

function parseListen(text: string): { readonly address: string; readonly port: number } {
  const match = /^(?:\[([0-9a-f:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  const address = match?.[1] ?? match?.[2];
  if (address === undefined || port > 65_535) {
    throw new HoldfastError(
      'REQUEST_INVALID',
      `--listen is "${text}", allowed: an address and a port, such as ${DEFAULT_LISTEN} or [::1]:8090`,
      { facts: { listen: text } },
    );
  }
  return { address, port };
}
