import { createHash } from 'node:crypto';
import type { Manifest } from '../core/manifest.js';
import type { SegmentId } from '../core/segment-id.js';
import { requestToJson, type DeletionRequest } from './deletion-request.js';

const SEGMENT_ID_CHARS = 45;
const NUMBER_CHARS = 12;
/** Maximum length of the text of a stage in a manifest. */
const MAX_RULE_CHARS = 4_000;

/** Name of the stage in a manifest, and its version: another one may leave other bytes for the same request. */
export const DELETE_STAGE = { name: 'delete', version: 1 } as const;

/** The request as the text of a stage. */
export function stageRule(request: DeletionRequest): string {
  const { robot: _robot, ...named } = requestToJson(request);
  const text = JSON.stringify(named);
  if (text.length <= MAX_RULE_CHARS) return text;
  const topics = `sha256:${createHash('sha256').update(JSON.stringify(named.topics)).digest('hex')}`;
  return JSON.stringify({ ...named, topics });
}

/**
 * Id of the segment with what a request leaves of another one. It has the same number, because it has some of the same
 * sequences, and it is the same in every place and at any time.
 */
export function remainderId(id: SegmentId, request: DeletionRequest): SegmentId {
  const digest = createHash('sha256')
    .update(`what is left of ${id} after ${stageRule(request)}`)
    .digest('hex');
  return `${id.slice(0, NUMBER_CHARS)}-${digest.slice(0, 32)}`;
}

/** A sealed name, or a key in a store, with the id of the remainder in place of the id of the segment. */
export function remainderName(name: string, request: DeletionRequest): string {
  const at = name.lastIndexOf('/') + 1;
  const end = at + SEGMENT_ID_CHARS;
  return name.slice(0, at) + remainderId(name.slice(at, end), request) + name.slice(end);
}

/** Whether this manifest describes what the request leaves of that segment. */
export function isRemainderOf(found: Manifest, manifest: Manifest): boolean {
  const { segment, crc32 } = found.derived?.source ?? {};
  return segment === manifest.segment.id && crc32 === manifest.file.crc32;
}

/** Whether the request was carried out on this segment already: the rest has nothing of it. */
export function isRemainderAfter({ derived }: Manifest, request: DeletionRequest): boolean {
  const rule = stageRule(request);
  return derived?.stages.some((stage) => stage.name === DELETE_STAGE.name && stage.rule === rule) ?? false;
}
