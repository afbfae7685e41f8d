import type { MetadataRecord } from './mcap/records.js';

/** What sealed segments tell Foxglove about their import. */
export interface FoxgloveOptions {
  /** Id of the project; empty: not said. */
  readonly project: string;
  /** Name of the device, in which `{robot}` stands for the robot; empty: not said. */
  readonly device: string;
  /** Ids of devices, by robot. A robot with an id has no name in the record. */
  readonly deviceIds: Readonly<Record<string, string>>;
  /** Whether the id of the segment is the key, with which Foxglove imports a recording once. */
  readonly key: boolean;
}

/** Name of the metadata record that Foxglove reads (docs.foxglove.dev, "Manage data" of a primary site). */
export const FOXGLOVE_RECORD = 'foxglove';

const DEVICE_ID = /^([^=\s]+)=(\S+)$/;

export const DEVICE_ID_FORM = 'ROBOT=ID, for example r1=dev_abc123';

/** Parses {@link DEVICE_ID_FORM}; undefined if it has another form. */
export function parseDeviceId(text: string): readonly [robot: string, id: string] | undefined {
  const [, robot, id] = DEVICE_ID.exec(text) ?? [];
  return robot === undefined || id === undefined ? undefined : [robot, id];
}

/** The record for a segment of a robot; undefined: there is nothing to say. */
export function foxgloveRecord(
  { project, device, deviceIds, key }: FoxgloveOptions,
  robot: string,
  segment: string,
): Readonly<Record<string, string>> | undefined {
  const id = Object.hasOwn(deviceIds, robot) ? deviceIds[robot] : undefined;
  const record: Record<string, string> = {};
  if (project !== '') record['projectId'] = project;
  if (id !== undefined) record['deviceId'] = id;
  else if (device !== '') record['deviceName'] = device.replaceAll('{robot}', robot);
  if (key) record['key'] = segment;
  return Object.keys(record).length === 0 ? undefined : record;
}

/** A record for a file of several segments: the key of one of them is not that of the file. */
export function withoutFoxgloveKey(record: MetadataRecord): MetadataRecord {
  if (record.name !== FOXGLOVE_RECORD) return record;
  const { key: _key, ...metadata } = record.metadata;
  return { ...record, metadata };
}
