import { formatTime } from '../../../core/clock.js';
import type { LegalHold } from '../../../deletion/legal-hold.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanCount, printable } from '../../../host/human.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import {
  addPlaces,
  addRobotAndTime,
  collectFaults,
  openPlaces,
  placeParameters,
  requiredText,
  robotAndTime,
  runBy,
  type OpenPlaces,
} from '../deletion-arguments.js';

export const holdCommand: CommandDefinition = {
  name: 'hold',
  summary: 'keep what a robot recorded in a time from being deleted',
  description:
    'Writes a legal hold into each given data folder and store. As long as it holds, holdfast delete keeps every ' +
    'segment of the robot that has a message of that time, in all places of the deletion (docs/deletion.md). With ' +
    '--release, a hold ends; its record stays. Without --robot and --release, the command lists the holds.',
  examples: [
    [
      'holdfast hold --store s3://rec/fleet --robot r1 --from 2026-11-21T08:00:00Z --to 2026-11-21T09:00:00Z --reason "case 17"',
      'place a hold',
    ],
    ['holdfast hold --store s3://rec/fleet --release 0123456789abcdef --reason "case closed"', 'end it'],
    ['holdfast hold --store s3://rec/fleet --data rec', 'list the holds of both places'],
  ],
  parameters: placeParameters,
  configure(command) {
    addPlaces(command);
    addRobotAndTime(command);
    command
      .option('--release <id>', 'end the hold with this id')
      .option('--reason <text>', 'why, for the record')
      .option('--by <name>', 'who, for the record (default: this user at this host)');
  },
  async run(invocation) {
    const { robot, release } = invocation.options;
    await using open = await openPlaces(invocation);
    if (release !== undefined) return await releaseHold(invocation, open, release as string);
    return robot === undefined ? await listHolds(invocation, open) : await placeHold(invocation, open);
  },
};

async function placeHold(invocation: Invocation, { places, robotNamed }: OpenPlaces): Promise<CommandResult> {
  const { ports } = invocation;
  const { add, check } = collectFaults();
  const { robot: named, from, to } = robotAndTime(invocation, add);
  const reason = requiredText(invocation, 'reason', add);
  check();
  const robot = await robotNamed(named);
  const hold: LegalHold = {
    ...{ format: 'holdfast-hold', version: 1, id: Buffer.from(ports.random(8)).toString('hex') },
    ...{ robot, from: String(from), to: String(to), reason },
    ...{ by: runBy(invocation), at: String(ports.clock.now()) },
  };
  for (const { holds } of places) await holds.write(hold);
  await invocation.say(`hold ${hold.id} in ${humanCount(places.length)} places`);
  return { exitCode: exitCodes.ok, json: { ok: true, hold } };
}

async function releaseHold(
  invocation: Invocation,
  { places }: OpenPlaces,
  id: string,
): Promise<CommandResult> {
  const { HOLD_ID } = await import('../../../deletion/legal-hold.js');
  const { add, check } = collectFaults();
  const reason = requiredText(invocation, 'reason', add);
  if (invocation.options['robot'] !== undefined) add('robot', undefined, 'cannot be given with --release');
  if (!HOLD_ID.test(id)) add('release', id, 'allowed: an id of 16 hex digits');
  check();
  const released = { at: String(invocation.ports.clock.now()), by: runBy(invocation), reason };
  let count = 0;
  for (const { holds } of places) {
    const hold = (await holds.list()).find((one) => one.id === id && one.released === undefined);
    if (hold === undefined) continue;
    await holds.write({ ...hold, released });
    count++;
  }
  if (count === 0)
    add('release', id, 'allowed: the id of a hold in one of the places; the command without it lists them');
  check();
  await invocation.say(`hold ${id} ended in ${humanCount(count)} places`);
  return { exitCode: exitCodes.ok, json: { ok: true, released: id, places: count } };
}

async function listHolds(invocation: Invocation, { places }: OpenPlaces): Promise<CommandResult> {
  const found: (LegalHold & { readonly place: string })[] = [];
  for (const { place, holds } of places) {
    for (const hold of await holds.list()) found.push({ ...hold, place });
  }
  for (const { id, place, robot, from, to, reason, by, released } of found) {
    const state = released ? `ended by ${released.by} (${released.reason})` : 'holds';
    const times = `${formatTime(BigInt(from))} to ${formatTime(BigInt(to))}`;
    await invocation.say(printable(`${id}  ${place}  ${robot}  ${times}  ${reason} (${by})  ${state}`));
  }
  await invocation.say(`${humanCount(found.length)} holds`);
  return { exitCode: exitCodes.ok, json: { ok: true, holds: found } };
}
