import type { LatchedDigests } from '../../core/mcap/carried.js';
import { documentKind } from '../../core/documents/document.js';
import { planSchema, stepSchema } from './export-schemas.js';
import type { OutputPlace } from './output-place.js';
import { WORK_FOLDER } from './output-place.js';
import type { ExportedFile } from './table-file.js';
import type { TopicTally } from './topic-tally.js';

/**
 * One exported window of one group, whose files are durable. It is written after them, so that a killed
 * export continues from here.
 */
export interface StepRecord {
  readonly group: string;
  /** First log time that is not in the step, decimal nanoseconds; absent: the group is done. */
  readonly until?: string;
  readonly files: readonly ExportedFile[];
  readonly tallies: readonly TopicTally[];
  readonly latched: LatchedDigests;
  /** Numberings -> the messages given so far, if they have an identity. */
  readonly seen?: Readonly<Record<string, string>>;
  readonly problems: readonly { readonly where: string; readonly reason: string }[];
}

/** The plan of an export that has begun. */
export interface PlanRecord {
  readonly export_id: string;
  readonly started_utc: string;
  /** The options that decide the output. */
  readonly fingerprint: unknown;
  /** Size and name of every segment of the plan. */
  readonly segments: readonly string[];
}

/** `plan.json` of an export that has begun. */
export const plans = documentKind<PlanRecord>('plan of an export', planSchema);
/** A completed step of an export. */
export const steps = documentKind<StepRecord>('step of an export', stepSchema);

const PLAN = `${WORK_FOLDER}/plan.json`;
const STEPS = `${WORK_FOLDER}/steps`;

/** The durable progress of an export. */
export class ExportJournal {
  #next = 0;

  constructor(readonly place: OutputPlace) {}

  async plan(): Promise<PlanRecord | undefined> {
    const text = await this.place.get(PLAN);
    return text === undefined ? undefined : plans.parse(text, PLAN);
  }

  async begin(plan: PlanRecord): Promise<void> {
    await this.place.put(PLAN, `${JSON.stringify(plan, null, 1)}\n`);
  }

  /** The steps done so far, in their order. */
  async steps(): Promise<StepRecord[]> {
    const done: StepRecord[] = [];
    for (const path of await this.place.list(STEPS)) {
      done.push(steps.parse((await this.place.get(path)) ?? '', path));
    }
    this.#next = done.length;
    return done;
  }

  async add(step: StepRecord): Promise<void> {
    const name = String(this.#next++).padStart(8, '0');
    await this.place.put(`${STEPS}/${name}.json`, `${JSON.stringify(step)}\n`);
  }

  async remove(): Promise<void> {
    await this.place.remove(WORK_FOLDER);
  }
}
