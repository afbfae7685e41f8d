import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { S3Fault } from './s3-fault.js';

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
const MAX_SKEW_MS = 15 * 60_000;

/**
 * Checks AWS Signature Version 4 as the S3 documentation describes it (header form). Returns the announced
 * SHA-256 of the body, which the caller compares once the body is there.
 */
export function verifySignature(request: IncomingMessage, key: SigningKey): string {
  const match = AUTHORIZATION.exec(request.headers.authorization ?? '');
  if (!match) throw new S3Fault(403, 'AccessDenied', 'no AWS4-HMAC-SHA256 authorization');
  const [accessKeyId, day, region, signedHeaders, signature] = match.slice(1) as [
    string,
    string,
    string,
    string,
    string,
  ];
  if (accessKeyId !== key.accessKeyId) throw new S3Fault(403, 'InvalidAccessKeyId', 'unknown access key');
  if (region !== key.region) {
    throw new S3Fault(400, 'AuthorizationHeaderMalformed', `region is ${key.region}, not ${region}`);
  }
  const date = String(request.headers['x-amz-date']);
  const sentAt = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(Date.now() - sentAt) < MAX_SKEW_MS)) throw new S3Fault(403, 'RequestTimeTooSkewed', date);

  const payloadHash = String(request.headers['x-amz-content-sha256']);
  const canonical = [
    request.method,
    (request.url ?? '/').split('?', 1)[0],
    canonicalQuery(request.url ?? ''),
    ...signedHeaders.split(';').map((name) => `${name}:${headerText(request, name)}`),
    '',
    signedHeaders,
    payloadHash,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const signingKey = [day, region, 's3', 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${key.secretAccessKey}`,
  );
  const expected = createHmac('sha256', signingKey).update(toSign).digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    throw new S3Fault(403, 'SignatureDoesNotMatch', 'the signature does not match');
  }
  return payloadHash;
}

function headerText(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value.join(',') : (value ?? '')).trim().replace(/ +/g, ' ');
}

function canonicalQuery(url: string): string {
  const at = url.indexOf('?');
  if (at < 0) return '';
  const encode = (text: string): string =>
    encodeURIComponent(decodeURIComponent(text)).replace(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return url
    .slice(at + 1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', value = ''] = pair.split('=');
      return `${encode(name)}=${encode(value)}`;
    })
    .sort()
    .join('&');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
