import { createHash } from 'node:crypto';
import { defined } from '../core/defined.js';

/** What to delete: one robot, a time, and optionally some topics of it. */
export interface DeletionRequest {
  readonly robot: string;
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from: bigint;
  readonly to: bigint;
  /** `*` stands for any text. Absent: all topics. */
  readonly topics?: readonly string[];
}

/** A request in JSON: times are decimal nanoseconds since the Unix epoch. */
export interface DeletionRequestJson {
  readonly robot: string;
  readonly from: string;
  readonly to: string;
  readonly topics?: readonly string[];
}

export function requestToJson({ robot, from, to, topics }: DeletionRequest): DeletionRequestJson {
  return { robot, from: String(from), to: String(to), ...defined({ topics }) };
}

export function requestFromJson({ robot, from, to, topics }: DeletionRequestJson): DeletionRequest {
  return { robot, from: BigInt(from), to: BigInt(to), ...defined({ topics }) };
}

/** The first 16 hex digits of the SHA-256 of a JSON value. */
export function shortDigest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}
