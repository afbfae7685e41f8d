import { once } from 'node:events';
import type { SyncStatus } from '../../../core/status.js';
import { parameterNamesFor } from '../../parameters/parameter-table.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanBytes } from '../human.js';
import { reportLive, syncLine } from '../live-report.js';
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
    const { settings, store: opened } = await prepareSync(invocation.resolve('sync'), invocation.ports);
    await using store = opened;
    const { openSyncEngine } = await import('../../open-sync-engine.js');
    await using engine = await openSyncEngine(settings, store, invocation.ports);
    const drainRequest = new AbortController();
    const handlers = {
      status: () => engine.status(),
      sync_now: () => engine.syncNow(),
      drain: () => drainRequest.abort(),
    };
    await using control = await controlRole('sync', settings.data, handlers, invocation);
    using _report = reportLive(invocation, () => syncLine(engine.status()));
    logger.info('syncing', { data: settings.data, store: store.uri });
    const { signal } = control;
    if (invocation.options['drain'] !== true) {
      const outcome = await Promise.race([
        engine.run(signal).then(() => 'ended' as const),
        once(drainRequest.signal, 'abort').then(() => 'drain' as const),
      ]);
      if (outcome === 'ended') return report(engine.status(), {}, invocation);
    }
    const { complete, alarms, ...summary } = await engine.drain(signal);
    return report(engine.status(), { drained: complete, alarms, ...summary }, invocation);
  },
};

async function report(
  status: SyncStatus,
  drained: Readonly<Record<string, unknown>>,
  invocation: Invocation,
): Promise<CommandResult> {
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
