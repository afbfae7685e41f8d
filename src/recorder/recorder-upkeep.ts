import type { Timer } from '../core/clock.js';
import type { HoldfastError } from '../core/errors.js';
import type { AnomalyWatch } from './anomaly/anomaly-watch.js';
import { FolderWatch } from './folder-watch.js';
import type { RecorderParts } from './recorder-parts.js';

const TICK_MS = 1000;

/** The parts that it uses. */
type Parts = Pick<
  RecorderParts,
  | 'clockWatch'
  | 'condition'
  | 'conditions'
  | 'flow'
  | 'folder'
  | 'marks'
  | 'meters'
  | 'ports'
  | 'retention'
  | 'room'
  | 'sealer'
  | 'wal'
>;

/**
 * The periodic work of a recorder, once per second from `start` to `stop`: rates, anomaly rules, topics of conditions, clock steps,
 * retention, backpressure while disk space is low, and the age of the open segment. A step that fails is logged and
 * runs again in the next tick.
 */
export class RecorderUpkeep {
  #ticker: Timer | undefined;
  #rolling: Promise<void> | undefined;
  /** The stall that this class reported; it ends no other one. */
  #roomReason: string | undefined;
  #gone: HoldfastError | undefined;

  readonly #parts: Parts;
  readonly #anomalies: AnomalyWatch;
  readonly #folderWatch: FolderWatch;
  readonly #onFolderGone: () => void;

  constructor(parts: Parts, anomalies: AnomalyWatch, onFolderGone: () => void) {
    this.#parts = parts;
    this.#anomalies = anomalies;
    this.#folderWatch = new FolderWatch(parts.ports.fs, parts.folder);
    this.#onFolderGone = onFolderGone;
  }

  /** Why the data folder cannot be used any more; undefined while it exists. */
  get folderGone(): HoldfastError | undefined {
    return this.#gone;
  }

  /** The first tick runs at once. */
  start(): void {
    this.#ticker = this.#parts.ports.clock.every(TICK_MS, () => void this.#tick());
    void this.#tick();
  }

  stop(): void {
    this.#ticker?.cancel();
  }

  async #tick(): Promise<void> {
    const { wal, ports, meters, clockWatch, retention, sealer, condition, conditions } = this.#parts;
    try {
      meters.tick(ports.clock.monotonic());
      await this.#checkFolder();
      this.#anomalies.tick(condition.state === 'recording');
      await conditions.tick();
      const step = clockWatch.check();
      if (step) {
        wal.noteClockStep(step);
        ports.logger.warn('the wall clock jumped', { stepNs: step.stepNs });
      }
      await retention.tick(sealer.unfinished());
      this.#updateFlow();
      // Not awaited: a roll waits for the commit before it, and that commit may wait for retention.
      if (condition.state !== 'draining') this.#rolling ??= this.#rollIfOld();
    } catch (error) {
      ports.logger.warn('periodic work failed, will retry', { error });
    }
  }

  /** Without its folder, the recorder would write into files that no user can open: it ends and reports why. */
  async #checkFolder(): Promise<void> {
    const gone = this.#gone ? undefined : await this.#folderWatch.check();
    if (!gone) return;
    this.#gone = gone;
    this.#parts.condition.stalledReason = gone.message;
    this.#parts.ports.logger.error('the data folder was removed; the recorder ends', { error: gone.message });
    this.#onFolderGone();
  }

  /** Lets sources that wait for disk space continue, or reports that they wait. */
  #updateFlow(): void {
    const { flow, room, condition, retention, ports } = this.#parts;
    flow.update();
    const isBlocked = flow.isClosed && !room.isLeft;
    const told = condition.stalledReason;
    if (isBlocked && told === undefined) {
      const { admits, detail } = retention.state;
      // Under a quota the disk itself may have enough free space.
      const why = admits
        ? `${retention.freeBytes} bytes are free, no more than what is in memory may need`
        : detail;
      this.#roomReason = `disk_full: ${why}`;
      condition.stalledReason = this.#roomReason;
      ports.logger.warn('disk space low: pausing sources that support backpressure', { reason: why });
    } else if (!isBlocked && told !== undefined && told === this.#roomReason) {
      condition.stalledReason = undefined;
      ports.logger.info('disk space is sufficient again', { freeBytes: retention.freeBytes });
    }
  }

  async #rollIfOld(): Promise<void> {
    const { wal, ports, marks } = this.#parts;
    try {
      if (marks.hasPassed()) await wal.roll();
      else await wal.rollIfOld();
    } catch (error) {
      ports.logger.warn('cannot roll the segment, will retry', { error });
    }
    this.#rolling = undefined;
  }
}
