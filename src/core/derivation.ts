/**
 * Form of changed copies in receipts. It has no rules in it: what a store holds is not sent again under other rules.
 */
export const TRANSFORMED_FORM = 'transformed';

/** Member `derived` of a manifest: the file was made of a sealed one, on its way to the store or by a deletion. */
export interface Derivation {
  readonly version: 1;
  /** The sealed file. After `sync.transform` it stays on the robot; after a deletion it is gone. */
  readonly source: {
    /** Id of the segment, if that is another one: the file is what a deletion left of it. */
    readonly segment?: string;
    readonly bytes: number;
    /** Lower-case hex. */
    readonly sha256: string;
    readonly crc32: number;
    readonly messages: number;
    readonly payloadBytes: number;
  };
  /** What was done, in this order. */
  readonly stages: readonly DerivationStage[];
}

/** One rule of `sync.transform`, or one deletion. */
export interface DerivationStage {
  /**
   * `fields` for drop, zero, hash and round; `process` for an external program; `infer` for a model; `jpeg`, `h264` and
   * `blank`; `delete` for a part that was removed on request.
   */
  readonly name: string;
  /** Of the stage: another one may give other bytes for the same rule. */
  readonly version: number;
  /** The rule as it was configured, with all of its parameters. */
  readonly rule: string;
  /**
   * The program that ran, with its version: what an external program called itself, FFmpeg, or the runtime of a model.
   * Absent if none ran for this segment.
   */
  readonly program?: string;
  /** SHA-256 of the model, in lower-case hex; absent: no model. */
  readonly model?: string;
  /** Absent: written by an earlier version. */
  readonly counts?: StageCounts;
}

/** What one rule did to the messages of a segment, without carried ones. */
export interface StageCounts {
  /** Messages that the rule got and passed on as they were. */
  readonly unchanged: number;
  /** Messages that it passed on with other bytes, or on another topic. */
  readonly changed: number;
  /** Messages that end with it. */
  readonly dropped: number;
  /** Further messages that it wrote. */
  readonly made: number;
}
