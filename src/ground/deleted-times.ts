import type { Clock, Timer } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { matches } from '../core/name-pattern.js';
import type { Queries } from './database/database.js';

/** A time of a robot that was deleted on request. */
export interface DeletedTime {
  readonly robot: string;
  /** Inclusive, nanoseconds since the Unix epoch. */
  readonly from: bigint;
  readonly to: bigint;
  /** `*` stands for any text; null: all topics, and what belongs to none. */
  readonly topics: readonly string[] | null;
}

/** Another process of the ground may have deleted something. */
const REFRESH_MS = 5_000;
const NONE: readonly DeletedTime[] = [];
const LOAD = `SELECT robot, first_at AS "from", last_at AS "to", topics FROM deleted_times`;

/** The times of all robots that were deleted: what lies in them is not shown and not kept, also if a robot tells it again. */
export class DeletedTimes implements Disposable {
  readonly #queries: Queries;
  readonly #byRobot = new Map<string, DeletedTime[]>();
  readonly #timer: Timer;

  private constructor(
    queries: Queries,
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#queries = queries;
    const refresh = (): void =>
      void this.refresh().catch((error: unknown) =>
        logger.debug('the deleted times cannot be read', { error: describeError(error) }),
      );
    this.#timer = clock.every(REFRESH_MS, refresh, { background: true });
  }

  /** Rejects with the errors of the database. */
  static async open(
    queries: Queries,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ): Promise<DeletedTimes> {
    const times = new DeletedTimes(queries, ports);
    try {
      await times.refresh();
      return times;
    } catch (error) {
      times[Symbol.dispose]();
      throw error;
    }
  }

  /** Those of one robot. */
  of(robot: string): readonly DeletedTime[] {
    return this.#byRobot.get(robot) ?? NONE;
  }

  async refresh(): Promise<void> {
    const rows = await this.#queries.query<DeletedTime>(LOAD);
    this.#byRobot.clear();
    for (const { topics, ...row } of rows) {
      const time = { ...row, topics: topics?.map(fromLike) ?? null };
      const known = this.#byRobot.get(row.robot);
      if (known) known.push(time);
      else this.#byRobot.set(row.robot, [time]);
    }
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }
}

/** Whether something of a topic lies in a deleted time; without a topic, only times of all topics count. */
export function isDeleted(
  times: readonly DeletedTime[],
  { from, to = from, topic }: { readonly from: bigint; readonly to?: bigint; readonly topic?: string },
): boolean {
  return times.some(
    (time) =>
      time.from <= from &&
      to <= time.to &&
      (time.topics === null || (topic !== undefined && matches(time.topics, topic))),
  );
}

/** The table has patterns of LIKE. */
function fromLike(pattern: string): string {
  return pattern.replace(/\\(.)|%/g, (_all, escaped: string | undefined) => escaped ?? '*');
}
