import type { LatchedDigests } from '../../core/mcap/carried.js';
import type { OutputPlace } from './output-place.js';
import { WORK_FOLDER } from './output-place.js';
import type { ExportedFile } from './table-file.js';
import type { TopicTally } from './topic-tally.js';

/** One window of one group, exported: its files are durable. Written after them, so that a killed export goes on from here. */
export interface StepRecord {
  readonly group: string;
  /** First log time that is not in the step, decimal nanoseconds; absent: the group is done. */
  readonly until?: string;
  readonly files: readonly ExportedFile[];
  readonly tallies: readonly TopicTally[];
  readonly latched: LatchedDigests;
  /** Numberings -> the messages given so far, where they have an identity. */
  readonly seen?: Readonly<Record<string, string>>;
  readonly problems: readonly { readonly where: string; readonly reason: string }[];
}

/** The plan of an export that has begun. */
export interface PlanRecord {
  readonly export_id: string;
  readonly started_utc: string;
  /** What of the options decides the output. */
  readonly fingerprint: unknown;
  /** Size and name of every segment there was. */
  readonly segments: readonly string[];
}

const PLAN = `${WORK_FOLDER}/plan.json`;
const STEPS = `${WORK_FOLDER}/steps`;

/** The durable progress of an export. */
export class ExportJournal {
  #next = 0;

  constructor(readonly place: OutputPlace) {}

  async plan(): Promise<PlanRecord | undefined> {
    const text = await this.place.get(PLAN);
    return text === undefined ? undefined : (JSON.parse(text) as PlanRecord);
  }

  async begin(plan: PlanRecord): Promise<void> {
    await this.place.put(PLAN, `${JSON.stringify(plan, null, 1)}\n`);
  }

  /** The steps done so far, in their order. */
  async steps(): Promise<StepRecord[]> {
    const steps: StepRecord[] = [];
    for (const path of await this.place.list(STEPS)) {
      steps.push(JSON.parse((await this.place.get(path)) ?? 'null') as StepRecord);
    }
    this.#next = steps.length;
    return steps;
  }

  async add(step: StepRecord): Promise<void> {
    const name = String(this.#next++).padStart(8, '0');
    await this.place.put(`${STEPS}/${name}.json`, `${JSON.stringify(step)}\n`);
  }

  async remove(): Promise<void> {
    await this.place.remove(WORK_FOLDER);
  }
}
