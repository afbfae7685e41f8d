import { describeError } from '../../../core/errors.js';
import { present } from '../../../core/present.js';
import { compileMonitoringOptions } from '../../monitoring/monitoring-options.js';
import { startMonitoring } from '../../monitoring/start-monitoring.js';
import { LiveParameters } from '../../setup/live-parameters.js';
import { watchable } from '../../monitoring/watchable-log.js';
import { parameterNamesFor } from '../../../settings/parameter-table.js';
import { recorderRequests } from '../../control/recorder-requests.js';
import type { RecorderHost } from '../../../recorder/recorder-host.js';
import type { RecordSummary } from '../../../recorder/recorder.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { warnOfEnvironment } from '../../../host/small-process.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, humanDuration } from '../../../host/human.js';
import { recorderLine, reportLive } from '../live-report.js';
import { prepareRecorder } from '../../setup/prepare-recorder.js';
import { onAbort } from '../../../core/on-abort.js';
import { controlRole } from '../role-control.js';
import { announceReady } from '../service-ready.js';

/** How long sealing may delay the end after a signal. */
const SEAL_PATIENCE_MS = 3_000;
/** The same for monitors and control socket, once everything is durable. */
const END_PATIENCE_MS = 2_000;

export const recordCommand: CommandDefinition = {
  name: 'record',
  summary: 'record sources into a data folder, durably',
  description:
    'Records every selected topic of all sources. A message counts as recorded only after the commit ' +
    'that contains it has been fsynced. The recorder seals segments into standalone MCAP files in ' +
    'DATA/sealed, and sync uploads them to a store. First, the recorder recovers the data of an ' +
    'earlier run.\n\nThe command exits when all sources are finite and done, or on SIGINT or SIGTERM. ' +
    'Before it exits, it commits all messages that it has received. After a signal, it seals for at most ' +
    '3 seconds; the next start, or holdfast recover, seals the rest. A second signal ends it at once; no ' +
    'durable data is lost.',
  examples: [
    ['holdfast record --source mcap:my_bag --data rec', 'a rosbag2 folder or an MCAP file, at full speed'],
    ['holdfast record --source foxglove:ws://robot7:8765 --robot robot7', 'a live robot, until Ctrl-C'],
    ["holdfast record --source a=mcap:bag_a --source '@namespace=mcap:fleet_bag'", 'one robot, and a fleet'],
    [
      "holdfast record --source 'sim:?robots=3&duration=60s' --rule '/camera/ priority=low queue=32MiB'",
      'a simulated fleet; camera messages are dropped first',
    ],
    [
      "holdfast record --source foxglove:ws://localhost:8765 --exclude '/(debug|markers)'",
      'without some topics',
    ],
    [
      "holdfast record --source 'csv:bundled?vehicles=5' --data rec",
      'a drive log, replayed by a fleet of five',
    ],
    [
      "holdfast record --source 'udp://239.7.7.7:7400?iface=wlan0' --data rec",
      'vehicle-to-vehicle messages by multicast',
    ],
    [
      'holdfast record --config /etc/holdfast.yaml --json',
      'with a parameter file, and a machine-readable result',
    ],
  ],
  parameters: parameterNamesFor('recorder'),
  role: 'recorder',
  async run(invocation) {
    const { ports, logger, stop } = invocation;
    const resolved = invocation.resolve('recorder');
    const { options, inputs, openInputs } = await prepareRecorder(resolved, ports);
    if (resolved.values.profile === 'small') warnOfEnvironment(logger, process.env);
    const monitoring = compileMonitoringOptions(resolved);
    const { RecorderHost } = await import('../../../recorder/recorder-host.js');
    await using host = new RecorderHost({ options, ports, openInputs });
    await host.configure();
    await using control = await controlRole('recorder', options.data, recorderRequests(host), invocation);
    const watched = watchable(logger);
    const setLogLevel = watched.log && watched.log.setLevel.bind(watched.log);
    const parameters = new LiveParameters(resolved, { host: ports, recorder: host, setLogLevel });
    await using _monitors = startMonitoring(host, monitoring, { ...ports, ...watched, parameters });
    using _report = reportLive(invocation, () => recorderLine(host.status()));
    const over = isOver(host, control.signal);
    await host.activate();
    // Received messages are never dropped for being slow; sealing is left to the next start.
    stop.endWithin(undefined);
    onAbort(stop.signal, () => setTimeout(() => host.leaveUnsealed(), SEAL_PATIENCE_MS).unref());
    logger.info('recording', { data: options.data, sources: inputs.map(({ source }) => source.uri) });
    using _service = announceReady(invocation, options.data, 'recorder');
    await over;
    if (control.signal.aborted) {
      logger.info('ending: committing and sealing all received messages', {
        reason: describeError(control.signal.reason),
      });
    }
    await host.close();
    stop.endWithin(END_PATIENCE_MS);
    // Once configured, a closed recorder has one.
    return await report(present(host.summary), invocation);
  },
};

/** Resolves when all sources have completed, or when the signal aborts. */
function isOver(host: RecorderHost, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    host.onFinished(resolve);
    onAbort(signal, resolve);
  });
}

async function report(summary: RecordSummary, invocation: Invocation): Promise<CommandResult> {
  const failedSources = summary.failedSources.map(({ uri, error }) => ({ uri, error: describeError(error) }));
  // After a signal, the next start seals the rest.
  const isSealed = summary.waitingSegments === 0 || invocation.stop.signal.aborted;
  const ok = failedSources.length === 0 && summary.givenUp + summary.undurable === 0 && isSealed;
  const rest = [
    ...(summary.dropped > 0 ? [`${humanCount(summary.dropped)} dropped`] : []),
    ...(summary.givenUp > 0 ? [`of these, the disk refused ${humanCount(summary.givenUp)} at the end`] : []),
    ...(summary.decimated > 0 ? [`${humanCount(summary.decimated)} left out by rules`] : []),
    ...(summary.gaps > 0 ? [`${humanCount(summary.gaps)} gaps, each in the recording`] : []),
    ...(summary.unreadableBytes > 0
      ? [`${humanBytes(summary.unreadableBytes)} of the source unreadable`]
      : []),
    ...(summary.undurable > 0 ? [`${humanCount(summary.undurable)} NOT DURABLE`] : []),
    ...(summary.waitingSegments > 0 ? [`${summary.waitingSegments} segments wait to be sealed`] : []),
  ];
  await invocation.say(
    `recorded ${humanCount(summary.durable)} of ${humanCount(summary.received)} messages ` +
      `(${humanBytes(summary.durableBytes)}) into ${summary.sealedSegments} sealed segments` +
      `${rest.length > 0 ? `; ${rest.join('; ')}` : ''}; largest loss window ` +
      humanDuration(summary.maxLossWindowMs),
  );
  return { exitCode: ok ? exitCodes.ok : exitCodes.failed, json: { ok, ...summary, failedSources } };
}
