import { isIP } from 'node:net';
import { defined } from '../../core/defined.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { SourceUri } from '../source-uri.js';
import {
  durationMsOption,
  integerOption,
  invalidOptions,
  readUriOptions,
  textOption,
} from '../uri-options.js';

export interface UdpOptions {
  /** A multicast group to join, or the address of this machine to listen on. */
  readonly address: string;
  readonly port: number;
  readonly family: 'udp4' | 'udp6';
  readonly isGroup: boolean;
  /** Network interface for joining the group; undefined: the system's choice. */
  readonly iface: string | undefined;
  /** Receive buffer requested from the kernel. */
  readonly bufferBytes: number;
  readonly maxDatagramBytes: number;
  readonly maxVehicles: number;
  /** Interval of link messages. */
  readonly statsMs: number;
  readonly maxSkewMs: number;
  /** Id of the receiving vehicle, `3` for the robot `vehicle_3`; undefined: the recorder's own robot. */
  readonly receiver: string | undefined;
  /** Only datagrams with the HMAC of this key are accepted. */
  readonly key?: Uint8Array;
}

/** The maximum of UDP over IPv4. */
const MAX_UDP_BYTES = 65_507;
const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 4_096;
const KB = 1_024;

const table = {
  iface: textOption('the name of a network interface'),
  buffer_kb: integerOption(4_096, 8, 1_048_576),
  max_bytes: integerOption(16_384, 64, MAX_UDP_BYTES),
  max_vehicles: integerOption(256, 1, 10_000),
  stats: durationMsOption(5_000),
  key_file: textOption('the path of a file'),
  max_skew: durationMsOption(30_000),
  receiver: textOption('the id of the vehicle that listens: 1 to 40 letters, digits and _'),
};

/**
 * Reads `udp://group:port?iface=eth0&key_file=PATH`. docs/udp.md lists the options.
 *
 * @throws HoldfastError SOURCE_UNKNOWN if it is not an address, CONFIG_INVALID with all faults of the options
 * or if the key cannot be used.
 */
export async function readUdpUri(uri: SourceUri, fs: FileSystem): Promise<UdpOptions> {
  const { address, port } = readAddress(uri);
  const options = readUriOptions(uri, table);
  const isGroup = isMulticast(address);
  if (options.iface !== undefined && !isGroup) {
    throw invalidOptions(uri, [`iface: only for a multicast group, and ${address} is not one`]);
  }
  const { receiver } = options;
  if (receiver !== undefined && !/^\w{1,40}$/.test(receiver)) {
    throw invalidOptions(uri, [`receiver: "${receiver}", allowed are 1 to 40 letters, digits and _`]);
  }
  const key = options.key_file === undefined ? undefined : await readKey(uri, options.key_file, fs);
  return {
    ...{ address, port, family: isIP(address) === 6 ? 'udp6' : 'udp4', isGroup, iface: options.iface },
    bufferBytes: options.buffer_kb * KB,
    maxDatagramBytes: options.max_bytes,
    maxVehicles: options.max_vehicles,
    statsMs: options.stats ?? 5_000,
    maxSkewMs: options.max_skew ?? 30_000,
    ...defined({ key }),
    receiver,
  };
}

function readAddress(uri: SourceUri): { address: string; port: number } {
  const [, bracketed, plain, port] = /^\/\/(?:\[([^\]]+)\]|([^:/?#[\]]*)):(\d{1,5})\/?$/.exec(uri.path) ?? [];
  const address = bracketed ?? (plain === '' ? '0.0.0.0' : plain);
  const wanted = bracketed === undefined ? 4 : 6;
  if (
    address === undefined ||
    isIP(address) !== wanted ||
    address.includes('%') ||
    !(Number(port) >= 1 && Number(port) <= 65_535)
  ) {
    throw new HoldfastError(
      'SOURCE_UNKNOWN',
      `source ${uri.text}: vehicle-to-vehicle UDP is udp://group:port or udp://address:port with an IPv4 ` +
        'address, or an IPv6 address in brackets',
      { facts: { uri: uri.text } },
    );
  }
  return { address, port: Number(port) };
}

function isMulticast(address: string): boolean {
  if (isIP(address) === 6) return /^ff/i.test(address);
  const first = Number(address.split('.')[0]);
  return first >= 224 && first <= 239;
}

async function readKey(uri: SourceUri, path: string, fs: FileSystem): Promise<Uint8Array> {
  const bytes = await fs.readFile(path).catch((error: unknown) => {
    throw invalidOptions(uri, [`key_file: "${path}" cannot be read: ${describeError(error)}`]);
  });
  // Editors end a file with a line feed, which is not part of the key.
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--;
  if (end < MIN_KEY_BYTES || end > MAX_KEY_BYTES) {
    const allowed = `from ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES}`;
    throw invalidOptions(uri, [`key_file: "${path}" holds ${end} bytes, allowed are ${allowed}`]);
  }
  return Uint8Array.from(bytes.subarray(0, end));
}
