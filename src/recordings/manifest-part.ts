import type { Manifest, ManifestChannel } from '../core/manifest.js';

/** The manifest of a file with these channels of the segment; gaps of all topics stay. */
export function withChannels(manifest: Manifest, channels: readonly ManifestChannel[]): Manifest {
  const { firstLogTime: _first, lastLogTime: _last, firstSequence, lastSequence, ...rest } = manifest;
  const times = channels.flatMap(({ firstLogTime, lastLogTime }) =>
    firstLogTime === undefined || lastLogTime === undefined
      ? []
      : [BigInt(firstLogTime), BigInt(lastLogTime)],
  );
  const first = times.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
  const last = times.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined);
  const messages = channels.reduce((sum, { count }) => sum + count, 0);
  return {
    ...rest,
    channels,
    messages,
    payloadBytes: channels.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(first === undefined ? {} : { firstLogTime: String(first) }),
    ...(last === undefined ? {} : { lastLogTime: String(last) }),
    ...(messages === 0 || firstSequence === undefined ? {} : { firstSequence }),
    ...(messages === 0 || lastSequence === undefined ? {} : { lastSequence }),
  };
}
