import { join } from 'node:path';
import type { KeptObject, RemovedObject } from '../../../deletion/deletion-place.js';
import type { DeletionPlan } from '../../../deletion/deletion-plan.js';
import type { DeletionJournal } from '../../../deletion/run-deletion.js';
import { HoldfastError } from '../../../core/errors.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, printable } from '../../../host/human.js';
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
} from '../deletion-arguments.js';
import { addIdentityFlag, readKeyFile } from '../identity-option.js';

export const deleteCommand: CommandDefinition = {
  name: 'delete',
  summary: 'delete what a robot recorded in a time, from data folders, stores, lakes and a ground',
  description:
    'Deletes sealed segments and leaves a tombstone for each, so that a reader can tell a deletion from a loss ' +
    '(docs/deletion.md). A segment that also has other messages is replaced by one without those that go, and a ' +
    'table by one without their rows. Without --confirm or --yes it changes nothing: it prints what would go, what ' +
    'stays and why, and the id of the plan. It writes a signed receipt of what was removed and what was not. If it ' +
    'is interrupted, run the same command again. A legal hold beats it.',
  examples: [
    [
      'holdfast delete --data rec --store s3://rec/fleet --robot r1 --from 2026-11-21T08:00:00Z --to 2026-11-21T09:00:00Z',
      'what would go',
    ],
    [
      'holdfast delete ... --confirm 0123456789abcdef --reason "request 12 of a visitor" --sign-key delete.key',
      'do that',
    ],
  ],
  parameters: placeParameters,
  configure(command) {
    addPlaces(command);
    addRobotAndTime(command);
    command
      .option('--ground <url>', 'address of a ground with history of the robot, http(s)://...')
      .option('--ground-token-file <file>', 'file with the token of an admin of the ground')
      .option('--topics <name...>', 'only these topics; * stands for any text')
      .option('--confirm <plan>', 'do it, if the plan still has this id')
      .option('--yes', 'do it, whatever the plan is')
      .option('--reason <text>', 'why, for tombstones and receipt')
      .option('--by <name>', 'who, for tombstones and receipt (default: this user at this host)')
      .option('--sign-key <file>', 'the key that signs the receipt (holdfast keygen --signing)')
      .option('--out <folder>', 'folder for the receipt, and for the journal until it is written', '.');
    addIdentityFlag(command);
  },
  async run(invocation) {
    const { options, ports } = invocation;
    const { add, check } = collectFaults();
    const topics = options['topics'] as readonly string[] | undefined;
    const named = { ...robotAndTime(invocation, add), ...(topics && { topics: [...topics] }) };
    const confirm = options['confirm'] as string | undefined;
    const isReal = confirm !== undefined || options['yes'] === true;
    const reason = isReal ? requiredText(invocation, 'reason', add) : '';
    if (isReal && options['signKey'] === undefined)
      add('sign-key', undefined, 'must be given: it signs the receipt');
    check();
    const { planDeletion, requestId } = await import('../../../deletion/deletion-plan.js');
    const { journalName, readJournal, runDeletion } = await import('../../../deletion/run-deletion.js');
    await using open = await openPlaces(invocation, { isDeletion: true });
    const { places } = open;
    const request = { ...named, robot: await open.robotNamed(named.robot) };
    const journal = join(String(options['out']), journalName(requestId(request, places)));
    const begun = await readJournal(ports.fs, journal);
    const plan = begun?.plan ?? (await planDeletion(request, places));
    if (!isReal) return await tellPlan(invocation, plan, begun);
    if (confirm !== undefined && confirm !== plan.id) throw stale(confirm, plan, begun);
    const signKey = String(options['signKey']);
    const { readSigningKey } = await import('../../../deletion/deletion-receipt.js');
    const secret = readSigningKey(await readKeyFile(ports.fs, signKey), signKey);
    const facts = { at: String(ports.clock.now()), by: runBy(invocation), reason, plan: plan.id };
    const { receipt, path } = await runDeletion(
      {
        ...{ fs: ports.fs, clock: ports.clock, places, journal, secret, signal: invocation.stop.signal },
        onProgress: (done) => invocation.terminal.live(`${humanCount(done)} objects`),
      },
      begun ?? { format: 'holdfast-deletion-journal', version: 1, plan, facts },
    );
    invocation.terminal.live('');
    for (const { place, removed, kept, notes } of receipt.places) {
      await invocation.say(printable(`${place}: removed ${amount(removed)}, kept ${amount(kept)}`));
      for (const { key, messages, remainder } of removed) {
        if (remainder === undefined) continue;
        const rest = `the other ${humanCount(remainder.messages)} are in ${remainder.key}`;
        await invocation.say(printable(`  removed ${humanCount(messages)} messages of ${key}: ${rest}`));
      }
      for (const { key, why } of kept) await invocation.say(printable(`  kept ${key}: ${why}`));
      for (const note of notes) await invocation.say(printable(`  ${note}`));
    }
    await invocation.say(printable(`receipt: ${path}`));
    const ok = receipt.places.every(({ kept }) => kept.length === 0);
    const json = { ok, path, receipt };
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json };
  },
};

async function tellPlan(
  invocation: Invocation,
  plan: DeletionPlan,
  begun: DeletionJournal | undefined,
): Promise<CommandResult> {
  for (const { place, remove, keep, notes } of plan.places) {
    await invocation.say(printable(`${place}: would remove ${amount(remove)}, keep ${amount(keep)}`));
    for (const { key, bytes, part } of remove)
      await invocation.say(printable(`  remove ${part ? 'a part of ' : ''}${key} (${humanBytes(bytes)})`));
    for (const { key, why } of keep) await invocation.say(printable(`  keep ${key}: ${why}`));
    for (const note of notes) await invocation.say(printable(`  ${note}`));
  }
  await invocation.say(
    begun
      ? `plan ${plan.id} was begun and not finished: give --confirm ${plan.id} to finish it`
      : `nothing was changed; to do it, give --confirm ${plan.id}`,
  );
  return { exitCode: exitCodes.ok, json: { ok: true, dryRun: true, isBegun: begun !== undefined, plan } };
}

/** Of a part, the bytes that its place has less. */
function amount(objects: readonly RemovedObject[] | readonly KeptObject[]): string {
  const bytes = objects.reduce((sum, one) => {
    const left = 'remainder' in one ? one.remainder.bytes : 0;
    return sum + Math.max(0, one.bytes - left);
  }, 0);
  return `${humanCount(objects.length)} objects (${humanBytes(bytes)})`;
}

function stale(confirm: string, plan: DeletionPlan, begun: DeletionJournal | undefined): HoldfastError {
  const what = begun ? `plan ${plan.id} was begun and must be finished first` : `the plan is ${plan.id} now`;
  return new HoldfastError(
    'DELETION_REFUSED',
    `plan ${confirm} no longer fits: ${what}; nothing was changed`,
    {
      facts: { confirm, plan: plan.id },
    },
  );
}
