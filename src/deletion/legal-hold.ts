import { documentKind } from '../core/documents/document.js';
import { literal, object, text, time } from '../core/documents/schema-parts.js';

/** What a robot recorded in a time must not be deleted. */
export interface LegalHold {
  readonly format: 'holdfast-hold';
  readonly version: 1;
  /** 16 hex digits; also the name of its file. */
  readonly id: string;
  readonly robot: string;
  /** Log times, inclusive, decimal nanoseconds since the Unix epoch. */
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly by: string;
  readonly at: string;
  /** It no longer holds; the record stays. */
  readonly released?: { readonly at: string; readonly by: string; readonly reason: string };
}

/** Form of the id of a hold. */
export const HOLD_ID = /^[0-9a-f]{16}$/;

const holds = documentKind<LegalHold>(
  'legal hold',
  object(
    {
      ...{ format: literal('holdfast-hold'), version: literal(1) },
      id: { ...text, pattern: HOLD_ID.source, description: '16 hex digits' },
      ...{ robot: text, from: time, to: time, reason: text, by: text, at: time },
    },
    { released: object({ at: time, by: text, reason: text }) },
  ),
);

export function encodeHold(hold: LegalHold): string {
  return `${JSON.stringify(hold, null, 1)}\n`;
}

/** Throws `MANIFEST_INVALID`: a hold that cannot be read must not count as none. */
export function decodeHold(text: string, name: string): LegalHold {
  return holds.parse(text, name);
}

/** What a hold is compared with: times as in manifests. */
export interface HeldTime {
  readonly robot: string;
  readonly firstLogTime: string;
  readonly lastLogTime: string;
}

/** The first hold that keeps any of this. */
export function holdOn(
  { robot, firstLogTime, lastLogTime }: HeldTime,
  given: readonly LegalHold[],
): LegalHold | undefined {
  return given.find(
    (hold) =>
      hold.released === undefined &&
      hold.robot === robot &&
      BigInt(hold.from) <= BigInt(lastLogTime) &&
      BigInt(hold.to) >= BigInt(firstLogTime),
  );
}
