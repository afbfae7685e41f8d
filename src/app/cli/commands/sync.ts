import { once } from 'node:events';
import { basename } from 'node:path';
import { dataFolder } from '../../../core/data-folder.js';
import { isSegmentKey, withoutSegmentEnd } from '../../../core/manifest.js';
import type { SyncStatus } from '../../../core/status.js';
import { configInvalid, type ConfigFault } from '../../../settings/fault.js';
import { parameterNamesFor } from '../../../settings/parameter-table.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes } from '../../../host/human.js';
import { reportLive, syncLine } from '../live-report.js';
import type { SyncGroup } from '../../../sync/sync-group.js';
import { changeTransform } from '../../setup/change-transform.js';
import { prepareSync } from '../../setup/prepare-sync.js';
import { controlRole } from '../role-control.js';
import { announceReady } from '../service-ready.js';

/** Under `holdfast up`, sync ends after the recorder. */
const SUPERVISED_GRACE_MS = 2_000;

export const syncCommand: CommandDefinition = {
  name: 'sync',
  summary: 'move sealed segments to a store, verified',
  description:
    'Uploads sealed segments, resumes interrupted uploads, verifies each object and writes its ' +
    'manifest last. The command runs until you stop it. If the link is down, it waits. It can run ' +
    'with or without the recorder. The store is a folder (dir:PATH), an S3 bucket ' +
    '(s3://bucket/prefix), a container of Azure (azure://account/container/prefix) or a folder on an SFTP ' +
    'server (sftp://host/path). ' +
    'Credentials come from the environment only.',
  examples: [
    ['holdfast sync --data rec --store dir:/mnt/nas/recordings', 'to a NAS, until stopped'],
    [
      'holdfast sync --data rec --store s3://recordings/fleet-a --drain',
      'to S3, until every segment is verified',
    ],
    [
      "holdfast sync --data rec --store s3://rec --sink 'mcap:dir:/mnt/nas?required=no&robots=car-*'",
      'to S3, and some robots also to an optional NAS',
    ],
    ['holdfast sync --data rec --store s3://rec --only 000000000007-4f1c2d...', 'one segment, now'],
    ['holdfast sync --data car-1 --data car-2 --store s3://rec', 'several data folders, one process'],
    [
      'holdfast sync --store s3://rec --s3-endpoint http://localhost:9000 --bandwidth 25MB/s',
      'to your own server, over a shared link',
    ],
  ],
  parameters: parameterNamesFor('sync'),
  role: 'sync',
  configure(command) {
    command
      .option('--drain', 'exit when every sealed segment is verified in the store (or parked)')
      .option(
        '--only <segment...>',
        'upload these segments and exit: names in sealed/, or ids (an id selects all robots of a segment)',
      );
  },
  async run(invocation) {
    const { logger } = invocation.ports;
    // The recorder had its time before.
    if (invocation.supervised) invocation.stop.endWithin(SUPERVISED_GRACE_MS);
    await using setup = await prepareSync(invocation.resolve('sync'), invocation.ports);
    const { settings, sinks } = setup;
    const { openSync } = await import('../../setup/open-sync.js');
    const drainRequest = new AbortController();
    const endRequest = new AbortController();
    const signal = AbortSignal.any([invocation.stop.signal, endRequest.signal]);
    // A folder's socket is about that folder; drain and end concern the process.
    const listen = (data: string, group: SyncGroup): Promise<AsyncDisposable> =>
      controlRole(
        'sync',
        data,
        {
          status: () => group.status(),
          sync_now: () => group.syncNow(),
          set_transform: ({ rules }) => {
            changeTransform(rules, setup, group);
            logger.info('the rules of sync.transform were changed', { rules });
          },
          drain: () => drainRequest.abort(),
          end: () => endRequest.abort(new Error('ended by a control request')),
        },
        invocation,
      );
    const only = await chosenSegments(invocation, [settings.data, ...settings.moreData]);
    await using sync = await openSync(setup, invocation.ports, listen, only);
    const line = (): string => {
      const status = sync.status();
      return status ? syncLine(status) : 'no data folder is available now';
    };
    using _report = reportLive(invocation, line);
    const data = [settings.data, ...settings.moreData].join(', ');
    logger.info('syncing', { data, store: sinks.map(({ store }) => store.uri).join(', ') });
    using _service = announceReady(invocation, settings.data, 'sync');
    if (invocation.options['drain'] !== true && only === undefined) {
      const outcome = await Promise.race([
        sync.run(signal).then(() => 'ended' as const),
        once(drainRequest.signal, 'abort').then(() => 'drain' as const),
      ]);
      if (outcome === 'ended') return await report(sync.status(), {}, invocation);
    }
    const { complete, folders } = await sync.drain(signal);
    const [first] = folders;
    const { complete: _, alarms: __, ...summary } = first ?? {};
    return await report(
      sync.status(),
      { drained: complete, ...(sync.isAlone ? summary : { folders }) },
      invocation,
    );
  },
};

/** The segments of `--only`, as sealed names. Throws `CONFIG_INVALID` for names that are not in `sealed/`. */
async function chosenSegments(
  { options, ports }: Invocation,
  folders: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  const given = options['only'] as readonly string[] | undefined;
  if (given === undefined) return undefined;
  const sealed = await Promise.all(
    folders.map((folder) => ports.fs.readdir(dataFolder(folder).sealed).catch(() => [] as string[])),
  );
  const names = sealed.flat().filter(isSegmentKey).map(withoutSegmentEnd);
  const chosen = new Set<string>();
  const faults: ConfigFault[] = [];
  for (const text of given) {
    const wanted = withoutSegmentEnd(basename(text));
    const found = names.filter((name) => name === wanted || name.startsWith(`${wanted}.`));
    for (const name of found) chosen.add(name);
    const allowed = 'allowed: the name or the id of a segment in sealed/; holdfast ls shows them';
    if (found.length === 0) faults.push({ where: '--only', path: 'only', value: text, allowed });
  }
  if (faults.length > 0) throw configInvalid(faults);
  return chosen;
}

async function report(
  status: SyncStatus | undefined,
  drained: Readonly<Record<string, unknown>>,
  invocation: Invocation,
): Promise<CommandResult> {
  if (status === undefined) {
    return { exitCode: invocation.stop.exitCode ?? exitCodes.findings, json: { ok: false, ...drained } };
  }
  const { segments, bytes, alarms } = status;
  const isCut = drained['drained'] === false;
  await invocation.say(
    `${segments.verified} segments (${humanBytes(bytes.verified)}) verified in ${status.store}, ` +
      `${segments.pending} pending, ${segments.parked} parked` +
      ((segments.held ?? 0) > 0 ? `, ${segments.held} kept here by policy` : '') +
      (isCut ? '; ended before everything was verified' : ''),
  );
  for (const { robot, segment, code, message } of alarms) {
    const state = code === 'OBJECT_MISSING' ? 'missing' : 'parked';
    const what = segment === '' ? 'store' : `${state}: ${robot} ${segment}`;
    invocation.terminal.note(`holdfast: ${what}: ${code}: ${message}\n`);
  }
  const ok = segments.parked === 0 && !isCut;
  const cutCode = invocation.stop.exitCode ?? exitCodes.findings;
  return {
    exitCode: isCut ? cutCode : ok ? exitCodes.ok : exitCodes.findings,
    json: { ok, store: status.store, storeId: status.storeId, segments, bytes, alarms, ...drained },
  };
}
