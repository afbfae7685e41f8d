import { CHUNK_MAX_MESSAGES } from './mcap-file.js';
import { OBJECT_MAX_CHANNELS } from './object-router.js';
import type { ObjectSurvey } from './segment-survey.js';

/** Maximum of open files: far below the 1,024 descriptors that a process usually has. */
export const MAX_OPEN_OBJECTS = 64;
/** Maximum memory of the chunks of all open objects together. */
const CHUNKS_MAX_BYTES = 64 * 1024 * 1024;
/** Maximum messages in these chunks: their indexes take about 100 bytes of heap each. */
const CHUNKS_MAX_MESSAGES = 16 * CHUNK_MAX_MESSAGES;
/**
 * Maximum channels of all open objects together. The worker's heap of 192 MB is enough for 30,000 channels of one
 * object, and not for the 65,535 of three.
 */
const CHANNELS_MAX = OBJECT_MAX_CHANNELS;
/** A chunk as it fills, and the copy of it that is compressed and written. */
const COPIES = 2;

/**
 * Groups of objects that are written in one pass over the segment: as many as fit in bounded memory and file
 * descriptors. A segment of 2,000 robots is read several times instead of opening 2,000 files.
 */
export function groupObjects(objects: readonly ObjectSurvey[], chunkBytes: number): ObjectSurvey[][] {
  const groups: ObjectSurvey[][] = [];
  let bytes = Infinity;
  let messages = Infinity;
  let channels = Infinity;
  for (const object of objects) {
    const ownBytes = COPIES * Math.min(object.bytes, chunkBytes);
    const ownMessages = Math.min(object.records, CHUNK_MAX_MESSAGES);
    const group = groups.at(-1);
    const fits =
      group !== undefined &&
      group.length < MAX_OPEN_OBJECTS &&
      bytes + ownBytes <= CHUNKS_MAX_BYTES &&
      messages + ownMessages <= CHUNKS_MAX_MESSAGES &&
      channels + object.channels <= CHANNELS_MAX;
    if (fits) {
      group.push(object);
      bytes += ownBytes;
      messages += ownMessages;
      channels += object.channels;
    } else {
      groups.push([object]);
      bytes = ownBytes;
      messages = ownMessages;
      channels = object.channels;
    }
  }
  return groups;
}
