import { HoldfastError } from '../../../core/errors.js';
import { exitCodes } from '../../../host/exit-code.js';
import { makeDataFolder } from '../../../host/make-data-folder.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { parameterNames } from '../../../settings/parameter-table.js';
import { openGroundDatabase } from '../open-ground-database.js';
import { openGroundRegistry } from '../open-ground-registry.js';
import { DEFAULT_LISTEN, runGround } from '../run-ground.js';
import type { PeopleRegistry } from '../../../ground/people-registry.js';
import type { RobotRegistry } from '../../../ground/robot-registry.js';

export const groundCommand: CommandDefinition = {
  name: 'ground',
  summary: 'show a fleet in one place: live telemetry, history, recordings (docs/ground.md)',
  description:
    'Takes the telemetry and the status of robots that record with --ground-url. It shows the fleet on pages ' +
    'and over HTTP, keeps the history of every field in a PostgreSQL database of its own, finds the ' +
    'recordings of the stores of --store, and gives commands to robots.\n\nEach robot needs a token. enrol ' +
    'prints a new one for a robot, revoke ends the right to connect, and robots lists the enrolled ' +
    'ones.\n\nPeople need a token, too, if there are users or if the address is not a loopback address. user ' +
    'add prints the token of a viewer, operator or admin, user revoke ends it, and user list lists the users. ' +
    'All of them work while the ground runs.\n\nrebuild asks a running ground to empty its catalogue and to read ' +
    'every store again.\n\nparameters shows what can be set on a connected robot while it records. With a name and ' +
    'a value it sets one, until the recorder starts again.\n\ntags shows the tags of a robot, and sets those that it names. NAME= ' +
    'removes one.\n\nmigrate brings the schema of the database to the newest step and exits. Without ' +
    'it, the ground does that when it starts.',
  examples: [
    ['holdfast ground --data ground --listen 0.0.0.0:8090', 'until Ctrl-C'],
    ['holdfast ground enrol robot_7 --data ground > robot_7.token', 'the token of a robot, printed once'],
    ['holdfast ground enrol car_3 --vin 1ZZZ5A3T0RF000003', 'bound to the VIN of its vehicle'],
    ['holdfast ground user add anna --role operator', 'the token of a person, printed once'],
    [
      'holdfast ground --data ground --store s3://recordings/fleet-a',
      'with a catalogue of the recordings in this store',
    ],
    ['holdfast ground rebuild --url http://127.0.0.1:8090', 'read the catalogue again from all stores'],
    [
      'holdfast ground parameters robot_7 topics.exclude ^/camera ^/lidar',
      'set a live parameter of a robot; without a value, show it',
    ],
    ['holdfast ground tags robot_7 mission=m3 site=', 'set one tag of a robot and remove another'],
    ['holdfast ground revoke robot_7 --data ground', 'within 5 s the robot is disconnected'],
  ],
  parameters: parameterNames.filter((name) => /^(s3\.|log\.(level|format)$)/.test(name)),
  configure(command) {
    command
      .argument(
        '[action]',
        'enrol, revoke, robots, user, parameters, tags, rebuild or migrate; without it, the ground runs',
      )
      .argument(
        '[words...]',
        'name of a robot, for enrol, revoke, parameters and tags; add, revoke or list, for user',
      )
      .option('--data <folder>', 'folder of the ground: its database, tokens and epochs', 'ground')
      .option('--listen <address>', 'address and port for robots and people', DEFAULT_LISTEN)
      .option('--tls-cert <file>', 'certificate with its chain, PEM; read again when it changes')
      .option('--tls-key <file>', 'key of the certificate, PEM')
      .option(
        '--store <uri...>',
        'stores whose recordings the catalogue shows (dir:, s3:, azure: or sftp: URIs)',
      )
      .option('--tiles <url>', 'map tiles for the pages: http(s)://host/path with {z}, {x} and {y}')
      .option('--tiles-attribution <text>', 'what the licence of the tiles wants to be shown')
      .option(
        '--try-it',
        'let operators play the bundled fleet here, also if other machines reach the ground',
      )
      .option('--alerts-webhook <url>', 'gets a POST when an alert of a robot is raised or cleared')
      .option(
        '--backlog-window <time>',
        'time in which unsynced data must grow for the alert backlog_growing',
        '10min',
      )
      .option(
        '--backlog-growth <size>',
        'by how much it must grow from one third of this time to the next',
        '32MiB',
      )
      .option('--url <url>', 'a running ground, for rebuild, parameters and tags', `http://${DEFAULT_LISTEN}`)
      .option('--token-file <file>', 'token of an operator, for rebuild, parameters and tags')
      .option('--vin <vin>', 'for enrol: only this robot may say this VIN, and no other one; none: end that')
      .option('--role <role>', 'viewer, operator or admin, for user add', 'viewer')
      .option('--database <where>', 'postgres://..., embedded (in the folder), or none', 'embedded')
      .option(
        '--timescale <when>',
        'auto or never: keep the history in hypertables if the database has TimescaleDB',
        'auto',
      )
      .option(
        '--sql-database <url>',
        'the same database with a user who only reads, for /api/sql (default: the embedded one has it)',
      )
      .option(
        '--bus <url>',
        'nats(s)://host:port: robots also connect there, and all processes show the whole fleet',
      )
      .option('--bus-creds <file>', 'credentials of the ground for NATS (.creds)')
      .option('--keep-samples-days <days>', 'how long samples are kept, by whole months', '90')
      .option('--keep-roll-ups-days <days>', 'how long their roll-ups are kept', '1095')
      .option(
        '--database-user <name>',
        'for root: the user who runs the embedded database (default: nobody)',
      );
  },
  async run(invocation) {
    const { args, options, ports } = invocation;
    const [action, robot, ...more] = args;
    const folder = String(options['data']);
    if (action === undefined) return await runGround(folder, invocation);
    if (!actions.includes(action)) throw notAllowed(args);
    if (action === 'migrate') {
      if (robot !== undefined) throw notAllowed(args);
      return await migrateDatabase(folder, invocation);
    }
    if (action === 'parameters') {
      if (robot === undefined) throw notAllowed(args);
      const { robotParameters } = await import('../robot-parameters.js');
      return await robotParameters(robot, more, invocation);
    }
    if (action === 'tags') {
      if (robot === undefined) throw notAllowed(args);
      const { robotTags } = await import('../robot-tags.js');
      return await robotTags(robot, more, invocation);
    }
    if (action === 'rebuild') {
      if (robot !== undefined) throw notAllowed(args);
      const { rebuildCatalogue } = await import('../rebuild-catalogue.js');
      return await rebuildCatalogue(invocation);
    }
    const { RobotRegistry } = await import('../../../ground/robot-registry.js');
    await using open = await openGroundRegistry(folder, invocation);
    if (action === 'user') {
      const { PeopleRegistry } = await import('../../../ground/people-registry.js');
      return await manageUsers(new PeopleRegistry(open.place, ports), invocation);
    }
    if (more.length > 0) throw notAllowed(args);
    const registry = new RobotRegistry(open.place, ports);
    if (action === 'robots' && robot === undefined) return await list(registry, invocation);
    if (action === 'enrol' && robot !== undefined) {
      await makeDataFolder(ports.fs, folder);
      const vin = options['vin'] as string | undefined;
      const token = await registry.enrol(robot, vin === 'none' ? '' : vin);
      await invocation.say(token);
      return { exitCode: exitCodes.ok, json: { ok: true, robot, token } };
    }
    if (action === 'revoke' && robot !== undefined) return await revoke(registry, robot, invocation);
    throw notAllowed(args);
  },
};

const actions: readonly string[] = [
  ...['enrol', 'revoke', 'robots', 'user', 'parameters', 'tags', 'rebuild', 'migrate'],
];
const ALLOWED =
  'allowed: enrol ROBOT, revoke ROBOT, robots, user add NAME, user revoke NAME, user list, ' +
  'parameters ROBOT [NAME [VALUE...]], tags ROBOT [NAME=VALUE...], rebuild, migrate, or nothing';

function notAllowed(args: readonly string[]): HoldfastError {
  return new HoldfastError('REQUEST_INVALID', `ground ${args.join(' ')}: ${ALLOWED}`, { facts: { args } });
}

async function manageUsers(people: PeopleRegistry, invocation: Invocation): Promise<CommandResult> {
  const { args, options, ports } = invocation;
  const [, action, user, ...more] = args;
  if (action === 'list' && user === undefined) {
    const users = (await people.list()).map(({ user: name, role, addedAt }) => ({ name, role, addedAt }));
    for (const { name, role } of users) await invocation.say(`${name} ${role}`);
    return { exitCode: exitCodes.ok, json: { ok: true, users } };
  }
  if (user === undefined || more.length > 0) throw notAllowed(args);
  if (action === 'add') {
    await makeDataFolder(ports.fs, String(options['data']));
    const token = await people.add(user, String(options['role']));
    await invocation.say(token);
    return { exitCode: exitCodes.ok, json: { ok: true, user, token } };
  }
  if (action !== 'revoke') throw notAllowed(args);
  const ok = await people.revoke(user);
  await invocation.say(ok ? `the token of ${user} is no longer valid` : `there is no user ${user}`);
  return { exitCode: ok ? exitCodes.ok : exitCodes.failed, json: { ok, user } };
}

/** For a deployment that changes the schema once, before several processes start. */
async function migrateDatabase(folder: string, invocation: Invocation): Promise<CommandResult> {
  await using database = await openGroundDatabase(folder, invocation);
  if (database === undefined) {
    throw new HoldfastError(
      'REQUEST_INVALID',
      'ground migrate has no database, allowed: postgres://... or embedded',
      {},
    );
  }
  const { address } = database;
  await invocation.say(`the schema in ${address} is at the newest step`);
  return { exitCode: exitCodes.ok, json: { ok: true, database: address } };
}

async function list(registry: RobotRegistry, invocation: Invocation): Promise<CommandResult> {
  const robots = await registry.list();
  const vins = (await registry.boundVins()).all();
  for (const robot of robots) await invocation.say([robot, vins[robot] ?? ''].join(' ').trimEnd());
  return { exitCode: exitCodes.ok, json: { ok: true, robots, vins } };
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
