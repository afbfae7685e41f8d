import type { MessageFields } from '../../recordings/quality/message-fields.js';

/** A finding of a check; times are log times, nanoseconds since the Unix epoch. */
export interface Found {
  readonly from?: bigint;
  readonly to?: bigint;
  readonly field?: string;
  /** Messages concerned. */
  readonly count?: number;
  /** The measured and the allowed value, in the unit of the text. */
  readonly value?: number;
  readonly limit?: number;
  /** For a person. */
  readonly text: string;
}

export type Report = (found: Found) => void;

/** One message for the checks; valid until the next one. */
export interface SeenMessage {
  readonly logTime: bigint;
  /** 0 if the writer did not number messages. */
  readonly sequence: number;
  readonly data: Uint8Array;
  /** The decoded numbers; absent if nothing could be decoded. */
  readonly fields?: MessageFields;
  /** Stamp of the header, nanoseconds since the Unix epoch. */
  readonly stamp?: bigint;
  /** Why it could not be decoded. */
  readonly problem?: string;
  /** Why its definition is not the one it was written with, although it could be decoded. */
  readonly misfit?: string;
  /** The payload begins with a header. */
  readonly hasHeader: boolean;
}

/** One rule on one topic, over the whole recording; messages come in the order of their log times. */
export interface TopicCheck {
  message(seen: SeenMessage): void;
  /** @param until the last log time of the recording */
  end(until: bigint): void;
}

/** A number in a text. */
export function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** A span of time in a text. */
export function spanText(ns: bigint): string {
  return `${short(Number(ns) / 1e9)} s`;
}
