import { HoldfastError } from '../../core/errors.js';
import type { SourceUri } from '../source-uri.js';
import { durationMsOption, integerOption, readUriOptions } from '../uri-options.js';

export interface FoxgloveOptions {
  /** `ws://...` or `wss://...`, including credentials. */
  readonly url: string;
  /** Larger messages become gaps. */
  readonly maxMessageBytes: number;
  /** Interval of keep-alive pings; after three without an answer the server counts as dead. */
  readonly keepaliveMs: number;
}

const MB = 1024 * 1024;

const table = {
  max_message_mb: integerOption(64, 1, 1_024),
  keepalive: durationMsOption(10_000),
};

/**
 * Reads `foxglove:ws://host:port?max_message_mb=64&keepalive=10s`.
 *
 * @throws HoldfastError SOURCE_UNKNOWN if it is not a WebSocket address, CONFIG_INVALID with all faults of
 * the options.
 */
export function readFoxgloveUri(uri: SourceUri): FoxgloveOptions {
  const url = URL.canParse(uri.path) ? new URL(uri.path) : undefined;
  if (url === undefined || !/^wss?:$/.test(url.protocol) || url.hostname === '' || url.hash !== '') {
    throw new HoldfastError(
      'SOURCE_UNKNOWN',
      `source ${uri.text}: a Foxglove server is foxglove:ws://host:port or foxglove:wss://host:port`,
      { facts: { uri: uri.text } },
    );
  }
  const options = readUriOptions(uri, table);
  return {
    url: url.href,
    maxMessageBytes: options.max_message_mb * MB,
    keepaliveMs: options.keepalive ?? 10_000,
  };
}
