import { defined } from '../../core/defined.js';
import { cleanPrefix } from '../bucket-uri.js';
import { newObjectOptionNames, parseNewObjectOptions, type NewObjectOptions } from './new-objects.js';
import { checkEndpoint, OptionReader, showValue, type StoreOptionTexts } from '../option-reader.js';

/**
 * How the bytes of a part and of the whole object are protected, beyond the signature.
 *
 * - `auto`: `crc32`, falling back to `when-required` once the store refuses it.
 * - `crc32`: every part carries its CRC-32, and the store computes one over the whole object, which `verify`
 *   compares without reading the object back.
 * - `when-required`: only what an operation requires. The signed SHA-256 of their bytes protects the parts,
 *   and `verify` reads the object back.
 * - `none`: as `when-required`, with unsigned payloads, which saves a SHA-256 over every part. Only over
 *   https, where TLS protects the bytes in transit.
 */
export const checksumModes = ['auto', 'crc32', 'when-required', 'none'] as const;
export type ChecksumMode = (typeof checksumModes)[number];

/** All options of an S3 store except the credentials, which come from the standard AWS chain only. */
export interface S3Options {
  readonly bucket: string;
  /** All keys lie below it, without leading or trailing slash; empty: the bucket's root. */
  readonly prefix: string;
  /** URL of an S3-compatible server; absent: AWS, or AWS_ENDPOINT_URL_S3. */
  readonly endpoint?: string;
  /** Default: from the AWS chain; with an endpoint `us-east-1`, with Google's `auto`. */
  readonly region?: string;
  /** Bucket in the path instead of the host name. Default: true with an endpoint, otherwise false. */
  readonly pathStyle: boolean;
  /** Default `auto`. */
  readonly checksum: ChecksumMode;
  /**
   * Whether the store honours `If-None-Match`; false: a check and a write, not atomic. Default true, except for
   * Google, whose own condition may not be mixed with headers of AWS.
   */
  readonly conditional: boolean;
  /** Time limit for connecting, milliseconds. Default 10,000, limits 100 to 300,000. */
  readonly connectTimeoutMs: number;
  /**
   * Milliseconds without any byte moved until a call fails. Bytes count as moved once the kernel took them,
   * so it must be longer than its send buffer (up to 4 MB) takes to drain over the slowest link. Default
   * 60,000, limits 100 to 3,600,000.
   */
  readonly timeoutMs: number;
  /** Maximum number of connections; further calls wait for one. Default 16, limits 1 to 256. */
  readonly maxSockets: number;
  /** PEM file of the authority that signed the server's certificate, if the system does not know it. */
  readonly caFile?: string;
  /** Encryption, class and tags of new objects. Default: those of the bucket. */
  readonly newObjects: NewObjectOptions;
}

/** Names of the options, as in the query of a URI. */
export const s3OptionNames = [
  'endpoint',
  'region',
  'path_style',
  'checksum',
  'conditional',
  'connect_timeout_ms',
  'timeout_ms',
  'max_sockets',
  'ca_file',
  ...newObjectOptionNames,
] as const;

const CREDENTIALS = 'they come from the AWS credential chain alone';
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;

/** Parses all options and collects every fault; the result is valid only if there are none. */
export function parseS3Options(
  bucket: string,
  prefix: string,
  texts: StoreOptionTexts,
  faults: string[],
): S3Options {
  const read = new OptionReader(texts, s3OptionNames, faults);
  if (!BUCKET.test(bucket)) {
    faults.push(`bucket is ${showValue(bucket)}, allowed: letters, digits, ".", "_", "-", at least 3`);
  }
  const endpoint = read.text('endpoint');
  if (endpoint !== undefined) checkEndpoint(endpoint, 'http(s)://host[:port]', CREDENTIALS, faults);
  const isRegion = (text: string): boolean => /^[A-Za-z0-9-]{1,64}$/.test(text);
  const region = read.form('region', isRegion, 'letters, digits and "-"');
  const checksum = read.choice('checksum', checksumModes) ?? 'auto';
  if (checksum === 'none' && endpoint?.startsWith('http:')) {
    faults.push('checksum is "none" with an http endpoint, where nothing would protect the bytes');
  }
  const caFile = read.text('ca_file');
  const isGoogle = endpoint !== undefined && isGoogleEndpoint(endpoint);
  const assumed = isGoogle ? 'auto' : 'us-east-1';
  const effectiveRegion = region ?? (endpoint === undefined ? undefined : assumed);
  return {
    bucket,
    prefix: cleanPrefix(prefix, faults),
    ...defined({ endpoint, region: effectiveRegion }),
    pathStyle: read.flag('path_style', endpoint !== undefined),
    checksum,
    conditional: read.flag('conditional', !isGoogle),
    connectTimeoutMs: read.count('connect_timeout_ms', 10_000, 100, 300_000),
    timeoutMs: read.count('timeout_ms', 60_000, 100, 3_600_000),
    maxSockets: read.count('max_sockets', 16, 1, 256),
    ...defined({ caFile }),
    newObjects: parseNewObjectOptions(read, faults),
  };
}

/** Google Cloud Storage by its interoperable interface. */
function isGoogleEndpoint(endpoint: string): boolean {
  return URL.canParse(endpoint) && /(^|\.)storage\.googleapis\.com$/.test(new URL(endpoint).hostname);
}
