import { Packr } from 'msgpackr';
import { HoldfastError } from './errors.js';

/** A message for a broker. */
export interface BrokerMessage {
  /** Empty: none. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number;
}

const VERSION = 1;
const packr = new Packr({ useRecords: false });

/** The messages of one batch as a file, in order. */
export function encodeMessageBatch(messages: readonly BrokerMessage[]): Buffer {
  const rows = messages.map(({ key, value, headers, timestampMs }) => [key, value, headers, timestampMs]);
  return packr.pack([VERSION, rows]);
}

/** Throws `STORE_REJECTED` for bytes that are no batch of this version. */
export function decodeMessageBatch(data: Uint8Array): BrokerMessage[] {
  const [version, rows] = packr.unpack(data) as [
    unknown,
    [string, Uint8Array, Record<string, string>, number][],
  ];
  if (version !== VERSION) {
    throw new HoldfastError(
      'STORE_REJECTED',
      `a batch of messages has version ${String(version)}, allowed: ${VERSION}`,
    );
  }
  return rows.map(([key, value, headers, timestampMs]) => ({ key, value, headers, timestampMs }));
}
