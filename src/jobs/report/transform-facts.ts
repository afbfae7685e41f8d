import { TRANSFORMED_FORM, type Derivation } from '../../core/derivation.js';
import type { Manifest } from '../../core/manifest.js';
import type { StageFacts, TransformFacts } from '../../exporters/report/report-data.js';
import type { MessageFilter } from '../../recordings/message-filter.js';
import type { RecordingFacts, SegmentRecord } from './recording-facts.js';
import { inRange } from './session-facts.js';
import type { TimeSpan } from './time-span.js';

/** Rules beyond this many are not shown. */
const STAGES_MAX = 200;

/** A stage while its sums grow. */
type OpenStage = { -readonly [K in Exclude<keyof StageFacts, 'programs'>]: StageFacts[K] } & {
  readonly programs: Set<string>;
};

/** What `sync.transform` did to the segments in the range; undefined: no changed copy of one is known. */
export function transformFacts(
  { segments }: RecordingFacts,
  filter: MessageFilter,
  span: TimeSpan | undefined,
): TransformFacts | undefined {
  const known = inRange(segments, filter, span).filter(isTransformed);
  if (known.length === 0) return undefined;
  const stages = new Map<string, OpenStage>();
  const sums = { counted: 0, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  for (const copy of known.flatMap((record) => copyOf(record) ?? [])) {
    const { source } = copy.derived;
    sums.counted++;
    sums.messagesIn += source.messages;
    sums.bytesIn += source.payloadBytes;
    sums.messagesOut += copy.messages;
    sums.bytesOut += copy.payloadBytes;
    addStages(stages, copy.derived);
  }
  return {
    segments: known.length,
    ...sums,
    stages: [...stages.values()].map(({ programs, ...stage }) => ({
      ...stage,
      programs: [...programs].sort(),
    })),
  };
}

function addStages(stages: Map<string, OpenStage>, derived: Derivation): void {
  for (const { name, rule, program, counts } of derived.stages) {
    const key = `${name} ${rule}`;
    let stage = stages.get(key);
    if (!stage) {
      if (stages.size >= STAGES_MAX) continue;
      const zeros = { unchanged: 0, changed: 0, dropped: 0, made: 0 };
      stages.set(key, (stage = { name, rule, programs: new Set(), segments: 0, ...zeros }));
    }
    if (program !== undefined) stage.programs.add(program);
    if (!counts) continue;
    stage.segments++;
    stage.unchanged += counts.unchanged;
    stage.changed += counts.changed;
    stage.dropped += counts.dropped;
    stage.made += counts.made;
  }
}

function isTransformed(record: SegmentRecord): boolean {
  return copyOf(record) !== undefined || record.receipts.some(({ form }) => form === TRANSFORMED_FORM);
}

function copyOf({
  manifest,
  copy,
}: SegmentRecord): (Manifest & { readonly derived: Derivation }) | undefined {
  // What a deletion has left is derived too, from a segment with another id.
  const isChanged = manifest?.derived && manifest.derived.source.segment === undefined;
  const found = isChanged ? manifest : copy;
  return found?.derived && { ...found, derived: found.derived };
}
