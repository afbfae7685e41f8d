import { join } from 'node:path';
import { defined } from '../../core/defined.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import { openSource, type SourceDependencies } from '../../sources/open-source.js';
import type { RosSession } from '../../sources/ros/ros-session.js';
import { NOT_SET, type ConfigFault } from '../../settings/fault.js';
import type { RecorderOptions, SourceOptions } from '../../settings/recorder-options.js';
import { compileRecorderOptions } from '../../settings/compile-recorder.js';
import type { Resolved } from '../../settings/resolve.js';
import { rosSourceOptions } from '../../settings/ros-parameters.js';
import type { RecorderInput } from '../../recorder/recorder-run.js';
import type { SystemPorts } from '../../host/ports.js';
import { packageRoot } from '../../host/version.js';
import { readRecipients } from './recipients.js';

export interface RecorderSetup {
  readonly options: RecorderOptions;
  /** Checked, not started. */
  readonly inputs: readonly RecorderInput[];
  /** The same sources the first time, later new ones of the same URIs: a source is opened once. */
  readonly openInputs: (options: RecorderOptions) => Promise<readonly RecorderInput[]>;
}

/**
 * The recorder's options and its sources, none of them started. Faults of a URI are reported together with
 * all others: throws `CONFIG_INVALID`. With a session, sources `ros:` use its node.
 */
export async function prepareRecorder(
  resolved: Resolved,
  ports: SystemPorts,
  rosSession?: RosSession,
): Promise<RecorderSetup> {
  const faults: ConfigFault[] = [...resolved.faults];
  const { length } = resolved.values.sources;
  if (length === 0 && !faults.some(({ path }) => path === 'sources')) {
    const allowed =
      'allowed: at least one source: --source ros:, mcap:PATH, csv:FILE, foxglove:ws://host:port, udp://group:port, nats://host:port?..., kafka://host:port/topic?... or sim:';
    faults.push({ where: NOT_SET, path: 'sources', value: undefined, allowed });
  }
  const dependencies: SourceDependencies = {
    fs: ports.fs,
    drivesFolder: join(packageRoot, 'config', 'drives'),
    env: process.env,
    ros: {
      defaults: rosSourceOptions(resolved.values),
      ...defined({ session: rosSession }),
    },
  };
  const inputs: RecorderInput[] = [];
  for (const { uri } of resolved.values.sources) {
    try {
      inputs.push({ source: await openSource(uri, dependencies), robot: '', robotFromNamespace: false });
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      faults.push({
        where: resolved.origin.sources,
        path: 'sources',
        value: uri,
        allowed: describeError(error),
      });
    }
  }
  await readRecipients(resolved, ports.fs, faults, 'encryption.recipients');
  const options = compileRecorderOptions({ ...resolved, faults }, ports);
  const assigned = inputs.map((input, index) => ({ ...input, ...robotOf(options.sources[index]!) }));
  let unopened: readonly RecorderInput[] | undefined = assigned;
  return {
    options,
    inputs: assigned,
    openInputs: async ({ sources }) => {
      const first = unopened;
      unopened = undefined;
      return first ?? Promise.all(sources.map((source) => openInput(source, dependencies)));
    },
  };
}

async function openInput(options: SourceOptions, dependencies: SourceDependencies): Promise<RecorderInput> {
  return { source: await openSource(options.uri, dependencies), ...robotOf(options) };
}

function robotOf({ robot, robotFromNamespace }: SourceOptions): Omit<RecorderInput, 'source'> {
  return { robot, robotFromNamespace };
}
