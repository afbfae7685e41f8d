import type { Manifest, ManifestChannel } from '../core/manifest.js';
import type { McapMessage } from '../core/mcap/block.js';
import type { ChannelTally } from './survey-object.js';

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

/** Adds a message to the counts of its channel; one that was carried has a count of its own, and no times. */
export function noteMessage(tally: ChannelTally, { channel, data, logTime }: McapMessage): void {
  if (channel.carried) {
    tally.carried++;
    return;
  }
  tally.count++;
  tally.bytes += data.byteLength;
  if (tally.firstLogTime === undefined || logTime < tally.firstLogTime) tally.firstLogTime = logTime;
  if (tally.lastLogTime === undefined || logTime > tally.lastLogTime) tally.lastLogTime = logTime;
}

/**
 * A channel of a manifest with other counts. The source's numbers stay only if no message is gone: which ones are left
 * is not known.
 */
export function restOfChannel(channel: ManifestChannel, tally: ChannelTally): ManifestChannel {
  const { count, bytes, carried } = tally;
  if (count === channel.count) return { ...channel, bytes, carried };
  const { topic, type, encoding, schemaEncoding, latched } = channel;
  return { topic, type, encoding, schemaEncoding, latched, count, bytes, carried, ...tallyTimes(tally) };
}

/** The log times of a tally as a manifest has them. */
export function tallyTimes({ firstLogTime, lastLogTime }: ChannelTally): Partial<ManifestChannel> {
  if (firstLogTime === undefined || lastLogTime === undefined) return {};
  return { firstLogTime: String(firstLogTime), lastLogTime: String(lastLogTime) };
}
