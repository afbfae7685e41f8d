import { McapIndexedReader } from '@mcap/core';
import { HoldfastError, isHoldfastError } from '../errors.js';
import { Definitions } from './definitions.js';
import { boundedReadable, type McapLimits, type Readable } from './readable.js';

/** What the summary section says, as `@mcap/core` reads it. */
export type Summary = McapIndexedReader;

/**
 * Reads header, footer and summary; the summary's CRC is checked where there is one. Throws
 * `MCAP_UNREADABLE` for anything that is wrong with the file, and what `readable` itself throws.
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
    if (failure !== undefined && !isHoldfastError(failure, 'MCAP_UNREADABLE')) throw failure;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('MCAP_UNREADABLE', `${name}: no usable index (${why})`, {
      cause,
      facts: { name },
    });
  }
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

/** The summary's definitions; undefined where there is no usable summary. */
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
