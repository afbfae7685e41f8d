import type { McapReader } from './open-mcap.js';
import type { AttachmentRecord, MetadataRecord } from './records.js';

/** Records that every writer of an MCAP creates for its own content. */
const madeAnew: ReadonlySet<string> = new Set(['holdfast', 'holdfast_gap', 'rosbag2']);

/** Receives the records that are not messages. */
export interface RecordTaker {
  addMetadata(record: MetadataRecord): Promise<void>;
  addAttachment(attachment: AttachmentRecord): Promise<void>;
}

/** The metadata records of a file that are copied with its messages, including marked events. */
export function otherMetadata(reader: McapReader): Promise<MetadataRecord[]> {
  return reader.metadata((name) => !madeAnew.has(name));
}

/** Copies everything that is not a message. `onLost` is called for every attachment that cannot be copied. */
export async function takeOverRecords(
  reader: McapReader,
  taker: RecordTaker,
  onLost: (reason: string) => void,
): Promise<void> {
  for (const record of await otherMetadata(reader)) await taker.addMetadata(record);
  for await (const attachment of reader.readAttachments()) {
    if (typeof attachment === 'string') onLost(`not taken over: ${attachment}`);
    else await taker.addAttachment(attachment);
  }
}

/** `2 metadata records (calibration, vehicle)`, for what is left out; empty if nothing is. */
export function describeOthers(names: Iterable<string>, attachments: number): string {
  const list = [...names];
  const shown = [...new Set(list)].sort().slice(0, MAX_SHOWN);
  const parts: string[] = [];
  if (list.length > 0) parts.push(`${list.length} metadata records (${shown.join(', ')})`);
  if (attachments > 0) parts.push(`${attachments} attachments`);
  return parts.join(' and ');
}

const MAX_SHOWN = 20;
