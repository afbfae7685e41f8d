import { describeError, HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { MinHeap } from '../../core/mcap/min-heap.js';
import type { Source, SourceContext } from '../../core/source.js';
import { Pacer } from '../pacer.js';
import { runSource, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { readCsvUri, readLayout, type CsvOptions } from './csv-options.js';
import { DriveChannels } from './drive-channels.js';
import { topicsOf } from './drive-topics.js';
import { ReplayedVehicle, type ReplayStep } from './replayed-vehicle.js';

export interface CsvSourceDependencies {
  readonly fs: FileSystem;
  /** Holds the drives of `csv:bundled` and `csv:electric`. */
  readonly drivesFolder: string;
}

/**
 * `csv:FILE?vehicles=5`: replays a drive log as the topics of vehicles. Rows that cannot be read become gaps
 * with their lines; docs/drive-log.md describes the use of each column.
 *
 * @throws HoldfastError CONFIG_INVALID with all faults of the URI and of the map.
 */
export async function createCsvSource(
  uri: SourceUri,
  { fs, drivesFolder }: CsvSourceDependencies,
): Promise<Source> {
  const options = await readCsvUri(uri, fs, drivesFolder);
  return {
    uri: uri.text,
    supports: {
      finite: options.passes !== Infinity,
      backpressure: true,
      sequences: true,
      acknowledgement: false,
    },
    open: (context) =>
      runSource(context, async (run) => {
        try {
          await replay(options, fs, context, run);
        } catch (error) {
          if (isHoldfastError(error) || run.signal.aborted) throw error;
          const reason = describeError(error);
          throw new HoldfastError('SOURCE_UNREADABLE', `source ${uri.text} cannot be read on: ${reason}`, {
            cause: error,
            facts: { path: options.path, reason },
          });
        }
      }),
  };
}

interface Due {
  readonly vehicle: ReplayedVehicle;
  readonly step: ReplayStep;
}

async function replay(
  options: CsvOptions,
  fs: FileSystem,
  context: SourceContext,
  { emit, signal }: SourceRun,
): Promise<void> {
  const { clock, logger } = context;
  const { layout, ignored } = await readLayout(options, fs);
  if (ignored.length > 0)
    logger.info('columns of the log are not replayed', { columns: ignored.slice(0, 50) });
  const startNs = options.start === 'now' ? clock.now() : options.start === 'log' ? undefined : options.start;
  const parts = { fs, layout, signal, startNs };
  const vehicles = Array.from({ length: options.vehicles }, (_, i) => new ReplayedVehicle(i, options, parts));
  const isLive = options.speed === 1 && options.start === 'now';
  const channels = new DriveChannels(topicsOf(layout), isLive, context, { emit, signal });
  const unlisten = context.onWantedChange?.(() => channels.reconsider());
  const queue = new MinHeap<Due>((a, b) => compare(a.step.dueNs, b.step.dueNs));
  const take = async (vehicle: ReplayedVehicle): Promise<void> => {
    const step = await vehicle.next();
    if (step !== undefined) queue.push({ vehicle, step });
  };
  try {
    emit({ kind: 'state', state: 'open', detail: options.path });
    for (const vehicle of vehicles) await take(vehicle);
    const pacer = new Pacer(clock, options.speed);
    let isEmpty = true;
    for (let due = queue.pop(); due !== undefined; due = queue.pop()) {
      const { vehicle, step } = due;
      if (step.moment !== undefined || step.bad !== undefined) isEmpty = false;
      if (!(await pacer.until(Number(step.dueNs) / 1_000, signal))) return;
      if (!(await channels.give(vehicle, step))) return;
      await take(vehicle);
    }
    for (const { name, timeline } of vehicles) {
      if (timeline.jumps > 0) {
        logger.warn('the clock of the log jumped; the rows keep their order', {
          vehicle: name,
          jumps: timeline.jumps,
        });
      }
    }
    if (isEmpty) logger.warn('the log has a header but no rows', { path: options.path });
    emit({ kind: 'state', state: 'done' });
  } finally {
    unlisten?.();
    for (const vehicle of vehicles) await vehicle.close();
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
