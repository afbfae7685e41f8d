import { once } from 'node:events';
import type { SyncStatus } from '../../../core/status.js';
import { parameterNamesFor } from '../../parameters/parameter-table.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanBytes } from '../human.js';
import { reportLive, syncLine } from '../live-report.js';
import type { SyncGroup } from '../../../sync/sync-group.js';
import { prepareSync } from '../prepare-sync.js';
import { controlRole } from '../role-control.js';

export const syncCommand: CommandDefinition = {
  name: 'sync',
  summary: 'move sealed segments to a store, verified',
  description:
    'Uploads what the recorder sealed, resumes uploads that were cut off, verifies each object, writes its ' +
    'manifest last, and goes on until it is ended. A dead link is waited for. Runs beside the recorder or ' +
    'without it. The store is a folder (dir:PATH) or an S3 bucket (s3://bucket/prefix); credentials come ' +
    'from the standard AWS chain only.',
  examples: [
    ['holdfast sync --data rec --store dir:/mnt/nas/recordings', 'to a NAS, for ever'],
    ['holdfast sync --data rec --store s3://recordings/fleet-a --drain', 'to S3, until all is verified'],
    [
      "holdfast sync --data rec --store s3://rec --sink 'mcap:dir:/mnt/nas?required=no&robots=car-*'",
      'to S3, and some robots to a NAS as well, which may be absent',
    ],
    ['holdfast sync --data car-1 --data car-2 --store s3://rec', 'several data folders, one process'],
    [
      'holdfast sync --store s3://rec --s3-endpoint http://localhost:9000 --bandwidth 25MB/s',
      'to a server of your own, over a shared link',
    ],
  ],
  parameters: parameterNamesFor('sync'),
  role: 'sync',
  configure(command) {
    command.option('--drain', 'end once everything sealed is verified in the store (or parked)');
  },
  async run(invocation) {
    const { logger } = invocation.ports;
    await using setup = await prepareSync(invocation.resolve('sync'), invocation.ports);
    const { settings, sinks } = setup;
    const { openSync } = await import('../../open-sync.js');
    const drainRequest = new AbortController();
    const endRequest = new AbortController();
    const signal = AbortSignal.any([invocation.stop.signal, endRequest.signal]);
    // A folder's socket speaks of that folder; drain and end concern the process.
    const listen = (data: string, group: SyncGroup): Promise<AsyncDisposable> =>
      controlRole(
        'sync',
        data,
        {
          status: () => group.status(),
          sync_now: () => group.syncNow(),
          drain: () => drainRequest.abort(),
          end: () => endRequest.abort(new Error('ended by a control request')),
        },
        invocation,
      );
    await using sync = await openSync(setup, invocation.ports, listen);
    const line = (): string => {
      const status = sync.status();
      return status ? syncLine(status) : 'no data folder can be served now';
    };
    using _report = reportLive(invocation, line);
    const data = [settings.data, ...settings.moreData].join(', ');
    logger.info('syncing', { data, store: sinks.map(({ store }) => store.uri).join(', ') });
    if (invocation.options['drain'] !== true) {
      const outcome = await Promise.race([
        sync.run(signal).then(() => 'ended' as const),
        once(drainRequest.signal, 'abort').then(() => 'drain' as const),
      ]);
      if (outcome === 'ended') return report(sync.status(), {}, invocation);
    }
    const { complete, folders } = await sync.drain(signal);
    const [first] = folders;
    const { complete: _, alarms: __, ...summary } = first ?? {};
    return report(
      sync.status(),
      { drained: complete, ...(sync.isAlone ? summary : { folders }) },
      invocation,
    );
  },
};

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
      (isCut ? '; ended before everything was verified' : ''),
  );
  for (const { robot, segment, code, message } of alarms) {
    const what = segment === '' ? 'store' : `parked: ${robot} ${segment}`;
    invocation.terminal.note(`holdfast: ${what}: ${code}: ${message}\n`);
  }
  const ok = segments.parked === 0 && !isCut;
  const cutCode = invocation.stop.exitCode ?? exitCodes.findings;
  return {
    exitCode: isCut ? cutCode : ok ? exitCodes.ok : exitCodes.findings,
    json: { ok, store: status.store, storeId: status.storeId, segments, bytes, alarms, ...drained },
  };
}
