import { defined } from '../../core/defined.js';
import { keySegments } from '../object-key.js';

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
  /** Default: from the AWS chain; with an endpoint `us-east-1`. */
  readonly region?: string;
  /** Bucket in the path instead of the host name. Default: true with an endpoint, otherwise false. */
  readonly pathStyle: boolean;
  /** Default `auto`. */
  readonly checksum: ChecksumMode;
  /** Whether the store honours `If-None-Match`; false: a check and a write, not atomic. Default true. */
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
}

/** Options as text, from a URI's query or a configuration file. Missing ones take their default. */
export type S3OptionTexts = Readonly<Record<string, string | number | boolean | undefined>>;

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
] as const;

const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;

/** Parses all options and collects every fault; the result is valid only if there are none. */
export function parseS3Options(
  bucket: string,
  prefix: string,
  texts: S3OptionTexts,
  faults: string[],
): S3Options {
  const text = (name: string): string | undefined => {
    const value = texts[name];
    return value === undefined || value === '' ? undefined : String(value);
  };
  const flag = (name: string, byDefault: boolean): boolean => {
    const value = text(name);
    if (value === undefined) return byDefault;
    if (value !== 'true' && value !== 'false') faults.push(`${name} is ${show(value)}, allowed: true, false`);
    return value === 'true';
  };
  const count = (name: string, byDefault: number, min: number, max: number): number => {
    const value = text(name);
    if (value === undefined) return byDefault;
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < min || number > max) {
      faults.push(`${name} is ${show(value)}, allowed: a whole number from ${min} to ${max}`);
    }
    return number;
  };

  if (!BUCKET.test(bucket)) {
    faults.push(`bucket is ${show(bucket)}, allowed: letters, digits, ".", "_", "-", at least 3`);
  }
  const cleanPrefix = prefix.replace(/^\/+|\/+$/g, '');
  if (cleanPrefix !== '') collect(faults, 'prefix', () => keySegments(cleanPrefix));
  for (const name of Object.keys(texts)) {
    if (!(s3OptionNames as readonly string[]).includes(name)) {
      faults.push(`option ${show(name)} is unknown, allowed: ${s3OptionNames.join(', ')}`);
    }
  }
  const endpoint = text('endpoint');
  if (endpoint !== undefined) checkEndpoint(endpoint, faults);
  const region = text('region');
  if (region !== undefined && !/^[A-Za-z0-9-]{1,64}$/.test(region)) {
    faults.push(`region is ${show(region)}, allowed: letters, digits and "-"`);
  }
  const checksum = (text('checksum') ?? 'auto') as ChecksumMode;
  if (!checksumModes.includes(checksum)) {
    faults.push(`checksum is ${show(checksum)}, allowed: ${checksumModes.join(', ')}`);
  }
  if (checksum === 'none' && endpoint?.startsWith('http:')) {
    faults.push('checksum is "none" with an http endpoint, where nothing would protect the bytes');
  }
  const caFile = text('ca_file');
  const effectiveRegion = region ?? (endpoint === undefined ? undefined : 'us-east-1');
  return {
    bucket,
    prefix: cleanPrefix,
    ...defined({ endpoint, region: effectiveRegion }),
    pathStyle: flag('path_style', endpoint !== undefined),
    checksum,
    conditional: flag('conditional', true),
    connectTimeoutMs: count('connect_timeout_ms', 10_000, 100, 300_000),
    timeoutMs: count('timeout_ms', 60_000, 100, 3_600_000),
    maxSockets: count('max_sockets', 16, 1, 256),
    ...defined({ caFile }),
  };
}

function checkEndpoint(endpoint: string, faults: string[]): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && (url.username !== '' || url.password !== '')) {
    faults.push('endpoint holds credentials; they come from the AWS credential chain alone');
  } else if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    faults.push(
      `endpoint is ${show(endpoint.replace(/\/\/[^/]*@/, '//***@'))}, allowed: http(s)://host[:port]`,
    );
  }
}

function collect(faults: string[], name: string, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    faults.push(`${name}: ${(error as Error).message}`);
  }
}

function show(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
}
