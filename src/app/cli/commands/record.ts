import { describeError } from '../../../core/errors.js';
import { compileMonitoringOptions } from '../../monitoring/monitoring-options.js';
import { startMonitoring } from '../../monitoring/start-monitoring.js';
import { watchable } from '../../monitoring/watchable-log.js';
import { parameterNamesFor } from '../../parameters/parameter-table.js';
import { recorderRequests } from '../../control/recorder-requests.js';
import type { RecorderHost } from '../../recorder-host.js';
import type { RecordSummary } from '../../recorder.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanBytes, humanCount, humanDuration } from '../human.js';
import { recorderLine, reportLive } from '../live-report.js';
import { prepareRecorder } from '../prepare-recorder.js';
import { controlRole, onAbort } from '../role-control.js';

export const recordCommand: CommandDefinition = {
  name: 'record',
  summary: 'record sources into a data folder, durably',
  description:
    'Records every wanted topic of all sources. A message counts as recorded only after the commit that ' +
    'holds it was fsynced. Segments are sealed into standalone MCAP files in DATA/sealed, which sync moves ' +
    'to a store. What an earlier run left behind is recovered first.\n\n' +
    'Ends by itself when all sources are finite and done, and on SIGINT or SIGTERM: then everything taken ' +
    'in is committed and sealed before it exits. A second signal ends it at once; nothing durable is lost.',
  examples: [
    [
      'holdfast record --source mcap:my_bag --data rec',
      'a rosbag2 folder or an MCAP file, as fast as it goes',
    ],
    ['holdfast record --source foxglove:ws://robot7:8765 --robot robot7', 'a live robot, until Ctrl-C'],
    ["holdfast record --source a=mcap:bag_a --source '@namespace=mcap:fleet_bag'", 'one robot, and a fleet'],
    [
      "holdfast record --source 'sim:?robots=3&duration=60s' --rule '/camera/ priority=low queue=32MiB'",
      'a simulated fleet, cameras give way first',
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
      'what vehicles tell each other by multicast',
    ],
    ['holdfast record --config /etc/holdfast.yaml --json', 'from a file, result for a machine'],
  ],
  parameters: parameterNamesFor('recorder'),
  role: 'recorder',
  async run(invocation) {
    const { ports, logger } = invocation;
    const resolved = invocation.resolve('recorder');
    const { options, inputs, openInputs } = await prepareRecorder(resolved, ports);
    const monitoring = compileMonitoringOptions(resolved);
    const { RecorderHost } = await import('../../recorder-host.js');
    await using host = new RecorderHost({ options, ports, openInputs });
    await host.configure();
    await using control = await controlRole('recorder', options.data, recorderRequests(host), invocation);
    await using _monitors = startMonitoring(host, monitoring, { ...ports, ...watchable(logger) });
    using _report = reportLive(invocation, () => recorderLine(host.status()));
    const over = isOver(host, control.signal);
    await host.activate();
    logger.info('recording', { data: options.data, sources: inputs.map(({ source }) => source.uri) });
    await over;
    if (control.signal.aborted) {
      logger.info('ending: what was taken in is committed and sealed', {
        reason: describeError(control.signal.reason),
      });
    }
    await host.close();
    // Once configured, a closed recorder has one.
    return report(host.summary!, invocation);
  },
};

/** Resolves when all sources have ended by themselves, or the signal is given. */
function isOver(host: RecorderHost, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    host.onFinished(resolve);
    onAbort(signal, resolve);
  });
}

async function report(summary: RecordSummary, invocation: Invocation): Promise<CommandResult> {
  const failedSources = summary.failedSources.map(({ uri, error }) => ({ uri, error: describeError(error) }));
  const ok = failedSources.length === 0 && summary.undurable === 0 && summary.waitingSegments === 0;
  const rest = [
    ...(summary.dropped > 0 ? [`${humanCount(summary.dropped)} dropped`] : []),
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
