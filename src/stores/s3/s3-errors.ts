import { S3ServiceException } from '@aws-sdk/client-s3';
import { defined } from '../../core/defined.js';
import type { ErrorCode } from '../../core/error-catalogue.js';
import { HoldfastError, systemCode } from '../../core/errors.js';

interface Translation {
  readonly code: ErrorCode;
  readonly retryable?: boolean;
}

/** By the error code in the store's answer, which is more specific than the HTTP status. */
const byName: Readonly<Record<string, Translation>> = {
  NoSuchBucket: { code: 'STORE_NOT_FOUND' },
  InvalidBucketName: { code: 'STORE_NOT_FOUND' },
  // The bucket is in another region.
  PermanentRedirect: { code: 'STORE_NOT_FOUND' },
  AuthorizationHeaderMalformed: { code: 'STORE_NOT_FOUND' },
  IllegalLocationConstraintException: { code: 'STORE_NOT_FOUND' },
  NoSuchKey: { code: 'OBJECT_MISSING' },
  NotFound: { code: 'OBJECT_MISSING' },
  NoSuchUpload: { code: 'UPLOAD_UNKNOWN' },
  InvalidPart: { code: 'UPLOAD_MISMATCH' },
  InvalidPartOrder: { code: 'UPLOAD_MISMATCH' },
  PreconditionFailed: { code: 'OBJECT_EXISTS' },
  ConditionalRequestConflict: { code: 'OBJECT_CONFLICT' },
  OperationAborted: { code: 'OBJECT_CONFLICT' },
  // The store received other bytes than were sent.
  BadDigest: { code: 'OBJECT_CORRUPT' },
  InvalidDigest: { code: 'OBJECT_CORRUPT' },
  XAmzContentSHA256Mismatch: { code: 'OBJECT_CORRUPT' },
  // Swift: a part of the object was replaced after its completion.
  BrokenMPU: { code: 'OBJECT_CORRUPT' },
  IncompleteBody: { code: 'STORE_OFFLINE' },
  RequestTimeout: { code: 'STORE_BUSY' },
  SlowDown: { code: 'STORE_BUSY' },
  Throttling: { code: 'STORE_BUSY' },
  ThrottlingException: { code: 'STORE_BUSY' },
  TooManyRequests: { code: 'STORE_BUSY' },
  QuotaExceeded: { code: 'STORE_FULL' },
  InsufficientStorage: { code: 'STORE_FULL' },
  // MinIO: an upload id that it did not give. Keys with such names are refused before.
  XMinioInvalidResourceName: { code: 'UPLOAD_UNKNOWN' },
  XMinioStorageFull: { code: 'STORE_FULL' },
  // These are temporary: the clock is set, the chain fetches a new token.
  RequestTimeTooSkewed: { code: 'STORE_ACCESS_DENIED', retryable: true },
  RequestExpired: { code: 'STORE_ACCESS_DENIED', retryable: true },
  ExpiredToken: { code: 'STORE_ACCESS_DENIED', retryable: true },
  ExpiredTokenException: { code: 'STORE_ACCESS_DENIED', retryable: true },
  TokenRefreshRequired: { code: 'STORE_ACCESS_DENIED', retryable: true },
  InvalidToken: { code: 'STORE_ACCESS_DENIED' },
  InvalidAccessKeyId: { code: 'STORE_ACCESS_DENIED' },
  SignatureDoesNotMatch: { code: 'STORE_ACCESS_DENIED' },
  CredentialsProviderError: { code: 'STORE_ACCESS_DENIED' },
  TokenProviderError: { code: 'STORE_ACCESS_DENIED' },
};

/** By HTTP status, if the name is not specific. */
function byStatus(status: number): Translation {
  if (status === 401 || status === 403) return { code: 'STORE_ACCESS_DENIED' };
  if (status === 404) return { code: 'OBJECT_MISSING' };
  if (status === 409) return { code: 'OBJECT_CONFLICT' };
  if (status === 412) return { code: 'OBJECT_EXISTS' };
  if (status === 408 || status === 429 || status === 498) return { code: 'STORE_BUSY' };
  if (status === 507) return { code: 'STORE_FULL' };
  if (status === 501) return { code: 'STORE_REJECTED' };
  if (status >= 500) return { code: 'STORE_BUSY' };
  if (status >= 400) return { code: 'STORE_REJECTED' };
  if (status >= 300) return { code: 'STORE_NOT_FOUND' };
  // An answer that does not come from S3: a captive portal, a proxy.
  return { code: 'STORE_OFFLINE' };
}

/** HTTP status of an error that carries the store's answer. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { $metadata?: { httpStatusCode?: unknown } } | undefined)?.$metadata
    ?.httpStatusCode;
  return typeof status === 'number' ? status : undefined;
}

export function isNotImplemented(error: unknown): boolean {
  return statusOf(error) === 501 || (error as Error | undefined)?.name === 'NotImplemented';
}

/** Translates any error of the client, once, with the store, the call and the answer as facts. */
export function s3Error(error: unknown, action: string, uri: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const name = error instanceof Error ? error.name : String(error);
  const status = statusOf(error);
  const system = systemCode(error);
  const { code, retryable } = translate(name, status);
  const answer = status === undefined ? (system ?? name) : `${status} ${name}`;
  const requestId = error instanceof S3ServiceException ? error.$metadata.requestId : undefined;
  return new HoldfastError(code, `${action} in ${uri} failed (${answer})`, {
    cause: error,
    facts: { uri, action, status, name, system, requestId },
    ...defined({ retryable }),
  });
}

function translate(name: string, status: number | undefined): Translation {
  // Own keys only: a store may answer with any name, such as `constructor`.
  const named = Object.hasOwn(byName, name) ? byName[name] : undefined;
  if (named) return named;
  // No answer: refused, reset, timed out, unresolved, or a certificate that is not (yet) valid.
  return status === undefined ? { code: 'STORE_OFFLINE' } : byStatus(status);
}
