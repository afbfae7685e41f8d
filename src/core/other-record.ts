import { createHash } from 'node:crypto';

/** Records of an input that are not messages and are recorded too. */
export type OtherRecord =
  | {
      /** A metadata record of MCAP. */
      readonly kind: 'metadata';
      /** Name of the record. */
      readonly name: string;
      /** The content. */
      readonly metadata: Readonly<Record<string, string>>;
    }
  | {
      /** An attachment of MCAP. */
      readonly kind: 'attachment';
      /** File name. */
      readonly name: string;
      /** Media type, such as `image/png`. */
      readonly mediaType: string;
      /** When it was recorded, nanoseconds since the Unix epoch. */
      readonly logTime: bigint;
      /** When it was created, nanoseconds since the Unix epoch; 0: unknown. */
      readonly createTime: bigint;
      /** The bytes. */
      readonly data: Uint8Array;
    };

/** A record of a robot's recording. */
export interface RobotRecord {
  /** The robot it belongs to. */
  readonly robot: string;
  /** What is recorded. */
  readonly record: OtherRecord;
}

/** Maximum content of one record, bytes; larger ones are left out and reported. */
export const OTHER_MAX_BYTES = 8 * 1024 * 1024;

/** Approximate memory that a record takes. */
export function bytesOfOther(record: OtherRecord): number {
  if (record.kind === 'attachment') return record.data.byteLength + record.name.length;
  const texts = Object.entries(record.metadata).flat();
  return texts.reduce((sum, one) => sum + one.length, record.name.length);
}

/** The same record always has the same id. */
export function otherRecordId({ robot, record }: RobotRecord): string {
  const hash = createHash('sha256').update(JSON.stringify([robot, record.kind, record.name]));
  if (record.kind === 'metadata') hash.update(JSON.stringify(Object.entries(record.metadata).sort()));
  else hash.update(`${record.mediaType} ${record.logTime} ${record.createTime} `).update(record.data);
  return hash.digest('hex').slice(0, 32);
}
