import { McapIndexedReader } from '@mcap/core';
import { defined } from '../defined.js';
import { HoldfastError, isHoldfastError } from '../errors.js';
import { Definitions } from './definitions.js';
import { boundedReadable, type McapLimits, type Readable } from './readable.js';
import { MAGIC, Op, RECORD_HEADER_BYTES } from './records.js';

/** The summary section as `@mcap/core` reads it. */
export type Summary = McapIndexedReader;

/**
 * Why an index is not used. `none`: it is absent, which the format allows. `insufficient`: it is intact but
 * does not lead to every message. `damaged`: it cannot be read.
 */
export type IndexState = 'none' | 'insufficient' | 'damaged';

/** The error for an MCAP that cannot be read by its index, with the fact `index`. */
export function noIndex(name: string, why: string, index: IndexState, cause?: unknown): HoldfastError {
  return new HoldfastError('MCAP_UNREADABLE', `${name}: no usable index (${why})`, {
    ...defined({ cause }),
    facts: { name, index },
  });
}

/**
 * Reads header, footer and summary; checks the CRC of the summary if there is one. Throws `MCAP_UNREADABLE`
 * for any fault of the file, and the errors of `readable` itself.
 */
export async function readSummary(readable: Readable, name: string, limits: McapLimits): Promise<Summary> {
  const bounded = boundedReadable(readable, name, limits.maxSummaryBytes);
  let failure: unknown;
  const watched: Readable = {
    size: () => bounded.size(),
    async read(offset, size) {
      try {
        return await bounded.read(offset, size);
      } catch (error) {
        failure = error;
        throw error;
      }
    },
  };
  try {
    return await McapIndexedReader.Initialize({ readable: watched });
  } catch (cause) {
    if (failure !== undefined && !isHoldfastError(failure, 'MCAP_UNREADABLE')) throw failure as Error;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw noIndex(name, why, (await saysNone(bounded)) ? 'none' : 'damaged', cause);
  }
}

const FOOTER_BYTES = RECORD_HEADER_BYTES + 20;

/** True if the file has a footer that states that there is no summary. */
async function saysNone(readable: Readable): Promise<boolean> {
  const end = (await readable.size()) - BigInt(MAGIC.length);
  if (end < FOOTER_BYTES) return false;
  const bytes = await readable.read(end - BigInt(FOOTER_BYTES), BigInt(FOOTER_BYTES + MAGIC.length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (
    view.getUint8(0) === Op.footer &&
    view.getBigUint64(1, true) === 20n &&
    view.getBigUint64(RECORD_HEADER_BYTES, true) === 0n &&
    Buffer.compare(bytes.subarray(FOOTER_BYTES), MAGIC) === 0
  );
}

/** Schemas and channels of a summary. */
export function definitionsOf(summary: Summary): Definitions {
  const definitions = new Definitions();
  for (const schema of summary.schemasById.values()) definitions.addSchema(schema);
  for (const { metadata, ...channel } of summary.channelsById.values()) {
    definitions.addChannel({ ...channel, metadata: Object.fromEntries(metadata) });
  }
  return definitions;
}

/** The definitions of the summary; undefined if it has no usable summary. */
export async function summaryDefinitions(
  readable: Readable,
  name: string,
  limits: McapLimits,
): Promise<Definitions | undefined> {
  try {
    return definitionsOf(await readSummary(readable, name, limits));
  } catch (error) {
    if (isHoldfastError(error, 'MCAP_UNREADABLE')) return undefined;
    throw error;
  }
}
