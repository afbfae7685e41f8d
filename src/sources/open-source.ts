import { defined } from '../core/defined.js';
import { HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Source } from '../core/source.js';
import type { RosEnvironment } from './ros/rclnodejs.js';
import type { RosSourceOptions } from './ros/ros-options.js';
import type { RosSession } from './ros/ros-session.js';
import { parseSourceUri, type SourceUri } from './source-uri.js';

/** What adapters need from outside before they are opened. */
export interface SourceDependencies {
  readonly fs: FileSystem;
  /** Folder of the bundled drives (`csv:bundled`, `csv:electric`). */
  readonly drivesFolder?: string;
  /** Environment variables: source `ros` needs those of a sourced shell, `kafka` may find a password there. */
  readonly env?: RosEnvironment;
  readonly ros?: {
    /** Defaults for what a `ros:` URI does not state. */
    readonly defaults?: RosSourceOptions;
    /** The node of the process, for listening without another one. */
    readonly session?: RosSession;
  };
}

type Load = (uri: SourceUri, dependencies: SourceDependencies) => Promise<Source>;

// Each adapter is loaded at its first use: a recorder with one kind of source does not pay start-up time and
// memory for the others.
const adapters: Readonly<Record<string, { readonly form: string; readonly load: Load }>> = {
  sim: {
    form: 'sim:?robots=3 or sim://host:port',
    load: async (uri) => (await import('./sim/sim-source.js')).createSimSource(uri),
  },
  mcap: {
    form: 'mcap:PATH',
    load: async (uri, { fs }) => (await import('./mcap/mcap-source.js')).createMcapSource(uri, { fs }),
  },
  foxglove: {
    form: 'foxglove:ws://host:port',
    load: async (uri) => (await import('./foxglove/foxglove-source.js')).createFoxgloveSource(uri),
  },
  csv: {
    form: 'csv:FILE',
    load: async (uri, { fs, drivesFolder = '' }) =>
      (await import('./csv/csv-source.js')).createCsvSource(uri, { fs, drivesFolder }),
  },
  udp: {
    form: 'udp://group:port',
    load: async (uri, { fs }) => (await import('./udp/udp-source.js')).createUdpSource(uri, { fs }),
  },
  nats: {
    form: 'nats://host:port?stream=LOGS&durable=holdfast',
    load: async (uri, { fs }) => (await import('./nats/nats-source.js')).createNatsSource(uri, { fs }),
  },
  kafka: {
    form: 'kafka://host:port/topic?group=holdfast',
    load: async (uri, { fs, env }) =>
      (await import('./kafka/kafka-source.js')).createKafkaSource(uri, { fs, ...defined({ env }) }),
  },
  ros: {
    form: 'ros:?domain=3',
    load: async (uri, { fs, env = {}, ros = {} }) => {
      const { createRosSource } = await import('./ros/ros-source.js');
      const { session, defaults } = ros;
      return createRosSource(uri, { fs, env, ...defined({ session }) }, defaults);
    },
  },
};

/**
 * Creates the source of a URI; nothing is connected or read yet.
 *
 * @throws HoldfastError SOURCE_UNKNOWN for an unknown URI, CONFIG_INVALID with all faults of its options.
 */
export async function openSource(uri: string, dependencies: SourceDependencies): Promise<Source> {
  const parsed = parseSourceUri(uri);
  const adapter = Object.hasOwn(adapters, parsed.scheme) ? adapters[parsed.scheme] : undefined;
  if (adapter === undefined) {
    const forms = Object.values(adapters).map(({ form }) => form);
    throw new HoldfastError(
      'SOURCE_UNKNOWN',
      `source ${parsed.text}: no adapter for "${parsed.scheme}:"; allowed are ${forms.join(', ')}`,
      { facts: { uri: parsed.text, allowed: forms } },
    );
  }
  return adapter.load(parsed, dependencies);
}
