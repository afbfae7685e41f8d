import { once } from 'node:events';
import { describeError } from '../../core/errors.js';
import { exitCodes } from '../../host/exit-code.js';
import { prepareRecorder } from '../setup/prepare-recorder.js';
import { listenForControl, type ControlServer } from '../control/control-server.js';
import { recorderRequests } from '../control/recorder-requests.js';
import { compileMonitoringOptions } from '../monitoring/monitoring-options.js';
import { startMonitoring, type Monitoring } from '../monitoring/start-monitoring.js';
import { compileRecorderOptions } from '../../settings/compile-recorder.js';
import type { RecorderOptions } from '../../settings/recorder-options.js';
import type { RecorderControl } from '../../recorder/recorder-control.js';
import { RecorderHost } from '../../recorder/recorder-host.js';
import type { Source } from '../../core/source.js';
import type { RosSource } from '../../sources/ros/ros-source.js';
import { withoutSecrets } from '../../sources/source-uri.js';
import type { RecorderExpectations, SourceProblem } from './recorder-diagnostics.js';
import { Lifecycle, type LifecycleTransition } from './lifecycle.js';
import { ManagedRecorder } from './managed-recorder.js';
import type { RunningNode } from './node-process.js';
import { RecorderTopics } from './recorder-topics.js';
import { serveRecorder } from './recorder-services.js';
import { resolvedValues } from './start-values.js';

/** Runs the recorder as a node until the signal aborts: then it drains, seals and leaves the graph. */
export async function runRecorderNode(node: RunningNode): Promise<number> {
  const { start, ports, logger } = node;
  const resolved = resolvedValues('recorder', start.initial, start.given);
  const { options, openInputs } = await prepareRecorder(resolved, ports, node.session);
  const monitoring = compileMonitoringOptions(resolved);
  let sources: readonly Source[] = [];
  await using host = new RecorderHost({
    options,
    ports,
    openInputs: async (wanted) => {
      const inputs = await openInputs(wanted);
      sources = inputs.map(({ source }) => source);
      return inputs;
    },
  });
  const managed = start.initial.get('managed') === true;
  const recorder: RecorderControl = managed ? manage(node, host) : host;
  const end = new AbortController();
  await using _control = new ControlListener(node, recorder, host, options.data, () => end.abort());
  let current = options;
  const given = new Set(start.given);
  const parameters = node.serveParameters((changes, all) => {
    const names = new Set([...given, ...changes.keys()]);
    const next = compileRecorderOptions(resolvedValues('recorder', all, names), ports);
    recorder.reconfigure?.(next);
    current = next;
    for (const name of changes.keys()) given.add(name);
  });
  serveRecorder(node, recorder, options.data);
  let monitors: Monitoring | undefined = undefined;
  using topics = new RecorderTopics(
    node,
    recorder,
    () => expectationsOf(current),
    () => problemsOf(sources),
    () => monitors?.watch.alerts ?? [],
  );
  // A recorder without live sources seals at once. A user who wants more starts it again.
  host.onFinished(() => {
    logger.info('every source has ended: sealing all received messages');
    void recorder.deactivate().catch((error: unknown) => logger.error('could not seal', { error }));
  });
  const signal = AbortSignal.any([node.signal, end.signal]);
  // A plain node without its data folder ends: its supervisor tries again.
  if (!managed) await recorder.configure();
  await using watching = startMonitoring(recorder, monitoring, { ...ports, log: logger, parameters });
  monitors = watching;
  if (!managed) await recorder.activate();
  else if (start.initial.get('autostart') === true) {
    const ready = recorder.configure().then(() => recorder.activate());
    await ready.catch((error: unknown) =>
      logger.error('automatic start failed; waiting for a configure transition', { error }),
    );
  }
  if (recorder.phase === 'active') {
    logger.info('recording', {
      data: options.data,
      sources: options.sources.map(({ uri }) => withoutSecrets(uri)),
    });
  }
  if (!signal.aborted) await once(signal, 'abort');
  logger.info('ending: committing and sealing all received messages', {
    reason: describeError(signal.reason),
  });
  const summary = await host.close();
  topics.publishStatus();
  const isWhole = !summary || summary.givenUp + summary.undurable + summary.waitingSegments === 0;
  return isWhole ? exitCodes.ok : exitCodes.failed;
}

function manage(node: RunningNode, host: RecorderHost): ManagedRecorder {
  const lifecycle: Lifecycle = new Lifecycle(node.session, node.logger, node.services, (transition) =>
    byName[transition](recorder, lifecycle, host),
  );
  const recorder = new ManagedRecorder(host, lifecycle);
  return recorder;
}

const byName: Readonly<
  Record<
    LifecycleTransition,
    (recorder: ManagedRecorder, lifecycle: Lifecycle, host: RecorderHost) => Promise<void>
  >
> = {
  configure: (recorder) => recorder.configure(),
  activate: (recorder) => recorder.activate(),
  deactivate: (recorder) => recorder.deactivate(),
  cleanup: (recorder) => recorder.cleanup(),
  // From any state: everything is sealed and released.
  shutdown: (_recorder, lifecycle, host) =>
    lifecycle.perform('shutdown', () => host.close().then(() => undefined), 'there'),
};

/** What the sources of a graph report about their topics. */
function problemsOf(sources: readonly Source[]): SourceProblem[] {
  return sources
    .filter((source): source is RosSource => 'report' in source)
    .flatMap((source) => source.report().flatMap(({ problems }) => problems));
}

function expectationsOf(options: RecorderOptions): RecorderExpectations {
  const { batch, durability, retention } = options;
  return {
    robot: options.sources[0]?.robot ?? '',
    lossWindowMs: batch.maxAgeMs + (durability.mode === 'interval' ? durability.intervalMs : 0),
    minFreeBytes: retention.minFreeBytes,
    minFreePercent: retention.minFreePercent,
  };
}

/** Listens on the data folder's control socket while the recorder holds the folder. */
class ControlListener implements AsyncDisposable {
  #server: Promise<ControlServer> | undefined;
  readonly #unlisten: () => void;

  readonly #node: RunningNode;
  readonly #recorder: RecorderControl;
  readonly #data: string;
  readonly #onEnd: () => void;

  constructor(
    node: RunningNode,
    recorder: RecorderControl,
    host: RecorderHost,
    data: string,
    onEnd: () => void,
  ) {
    this.#node = node;
    this.#recorder = recorder;
    this.#data = data;
    this.#onEnd = onEnd;
    this.#unlisten = host.onEvent((event) => {
      if (event.kind === 'state') this.#follow(host.phase !== 'unconfigured' && host.phase !== 'configuring');
    });
  }

  #follow(holdsFolder: boolean): void {
    if (holdsFolder === (this.#server !== undefined)) return;
    if (holdsFolder) {
      const handlers = { ...recorderRequests(this.#recorder), end: this.#onEnd };
      this.#server = listenForControl(this.#data, 'recorder', handlers, this.#node.logger);
    } else {
      void this.#close();
    }
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await (await server)?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    await this.#close();
  }
}
