import { defined } from '../../core/defined.js';
import { describeError } from '../../core/errors.js';
import { gapDocuments, type GapJson } from '../../core/gap.js';
import type { McapReader } from '../../core/mcap/open-mcap.js';
import { ThinnedSample } from '../../core/quality/thinned-sample.js';
import type { Problem, Segment } from '../../recordings/segments.js';
import { relativeTopic, type TopicName } from './check-rule.js';

/** Number of offsets kept per topic. */
const SAMPLE = 512;
/** Number of gaps and ends listed separately; further ones are only counted. */
const MAX_GAPS = 100_000;
const MAX_PROBLEMS = 1000;

/** A topic of the recording, and how many messages were checked. */
export interface TopicFacts extends TopicName {
  messages: number;
}

/** A change of the wall clock against monotonic time, as in a manifest. */
export interface ClockStepFact {
  readonly robot: string;
  readonly at: bigint;
  readonly stepNs: bigint;
}

/** A recording that its recorder did not end. */
export interface UncleanEnd {
  readonly robot: string;
  readonly where: string;
  readonly at?: bigint;
}

/** Facts of the recording as a whole; they grow while it is read, bounded. */
export class RecordingFacts {
  readonly topics: TopicFacts[] = [];
  readonly gaps: GapJson[] = [];
  /** Beyond the bound. */
  moreGaps = 0;
  readonly clockSteps: ClockStepFact[] = [];
  readonly uncleanEnds: UncleanEnd[] = [];
  readonly problems: Problem[] = [];
  /** Log time minus header stamp, nanoseconds, by robot and by the topic's name without it. */
  readonly offsets = new Map<string, Map<string, ThinnedSample>>();
  readonly #gapIds = new Set<string>();
  readonly #range: { readonly from?: bigint; readonly to?: bigint };

  /** @param range log times wanted, inclusive */
  constructor(range: { readonly from?: bigint; readonly to?: bigint }) {
    this.#range = range;
  }

  problem(problem: Problem): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }

  offsetsOf(name: TopicName): ThinnedSample {
    let topics = this.offsets.get(name.robot);
    if (topics === undefined) this.offsets.set(name.robot, (topics = new Map<string, ThinnedSample>()));
    const topic = relativeTopic(name);
    let sample = topics.get(topic);
    if (sample === undefined) topics.set(topic, (sample = new ThinnedSample(SAMPLE)));
    return sample;
  }

  /** What a segment states beside its messages. */
  async opened(reader: McapReader, segment: Segment, robot: string): Promise<void> {
    try {
      for (const { metadata } of await reader.metadata('holdfast_gap')) {
        const gap = gapDocuments.parseIfValid(metadata['json']);
        if (gap === undefined) throw new Error('its text is no gap');
        this.#addGap(gap, segment.name);
      }
    } catch (error) {
      // Its messages are readable anyway.
      const reason = `a gap recorded in it cannot be read: ${describeError(error)}`;
      this.problem({ where: segment.name, reason });
    }
    for (const { at, stepNs } of segment.clockSteps ?? []) {
      if (this.#isWanted(BigInt(at), BigInt(at))) {
        this.clockSteps.push({ robot, at: BigInt(at), stepNs: BigInt(stepNs) });
      }
    }
    const { salvage, lastLogTime } = reader;
    if (salvage !== undefined && !salvage.complete) {
      this.uncleanEnds.push({
        robot,
        where: segment.name,
        ...defined({ at: lastLogTime }),
      });
    }
  }

  #addGap(gap: GapJson, where: string): void {
    if (this.#gapIds.has(gap.id)) return;
    const [from, to] = [time(gap.firstTime), time(gap.lastTime)];
    if (!this.#isWanted(from, to ?? from)) return;
    if (this.#gapIds.size >= MAX_GAPS) {
      this.moreGaps++;
      return;
    }
    this.#gapIds.add(gap.id);
    this.gaps.push(gap);
    if (gap.reason === 'unclean_end') {
      this.uncleanEnds.push({ robot: gap.robot, where, ...defined({ at: from }) });
    }
  }

  #isWanted(first: bigint | undefined, last: bigint | undefined): boolean {
    const { from, to } = this.#range;
    if (from !== undefined && last !== undefined && last < from) return false;
    return !(to !== undefined && first !== undefined && first > to);
  }
}

export function time(text: string | undefined): bigint | undefined {
  return text === undefined || !/^\d{1,20}$/.test(text) ? undefined : BigInt(text);
}
