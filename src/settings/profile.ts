import type { RawValue } from './parameter.js';

/** Named sets of defaults. */
export const profiles = ['standard', 'small'] as const;

export type Profile = (typeof profiles)[number];

/**
 * What a profile changes in the parameter table. `small` is for machines with little memory: less waits in queues and
 * batches, and what is not recording is off until it is asked for. A value that is set wins over the profile.
 */
export const profileDefaults: Readonly<Record<Profile, Readonly<Record<string, RawValue>>>> = {
  standard: {},
  small: {
    max_channels: 2_000,
    'queue.max_bytes': '8MiB',
    'queue.total_max_bytes': '16MiB',
    'batch.max_bytes': '512KiB',
    'batch.max_count': 2_000,
    'segment.max_bytes': '16MiB',
    'seal.chunk_bytes': '256KiB',
    'seal.thread': false,
    'latched.max_bytes': '2MiB',
    'ros.receive_max_bytes': '16MiB',
    'log.file': '',
    'web.enabled': false,
    'foxglove.enabled': false,
    'upload.part_bytes': '5MiB',
    'upload.parts_in_flight': 2,
    'upload.uploads_in_flight': 1,
    'upload.segments_in_flight': 2,
  },
};

/** The profile that a value names; `standard` if it is not allowed, which the check of the value reports. */
export function profileOf(raw: unknown): Profile {
  return profiles.find((name) => name === raw) ?? 'standard';
}
