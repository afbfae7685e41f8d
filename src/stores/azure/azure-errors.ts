import { defined } from '../../core/defined.js';
import type { ErrorCode } from '../../core/error-catalogue.js';
import { HoldfastError, systemCode } from '../../core/errors.js';

/** By the error code in the service's answer, which is more specific than the HTTP status. */
const byName: Readonly<Record<string, ErrorCode>> = {
  ContainerNotFound: 'STORE_NOT_FOUND',
  ContainerDisabled: 'STORE_NOT_FOUND',
  ResourceNotFound: 'STORE_NOT_FOUND',
  // Its name may be used again after a while.
  ContainerBeingDeleted: 'STORE_BUSY',
  BlobNotFound: 'OBJECT_MISSING',
  BlobAlreadyExists: 'OBJECT_EXISTS',
  ConditionNotMet: 'OBJECT_EXISTS',
  TargetConditionNotMet: 'OBJECT_EXISTS',
  // A signature that may create and not overwrite.
  UnauthorizedBlobOverwrite: 'OBJECT_EXISTS',
  InvalidBlockList: 'UPLOAD_MISMATCH',
  // The blob has uncommitted blocks of another program, whose names are of another length.
  InvalidBlobOrBlock: 'OBJECT_CONFLICT',
  LeaseIdMissing: 'OBJECT_CONFLICT',
  BlobImmutableDueToPolicy: 'STORE_REJECTED',
  BlobArchived: 'STORE_REJECTED',
  BlobBeingRehydrated: 'STORE_BUSY',
  // The service received other bytes than were sent.
  Md5Mismatch: 'OBJECT_CORRUPT',
  ServerBusy: 'STORE_BUSY',
  OperationTimedOut: 'STORE_BUSY',
  InternalError: 'STORE_BUSY',
  AccountBeingCreated: 'STORE_BUSY',
};

/** By HTTP status, if the name is not specific. */
function byStatus(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'STORE_ACCESS_DENIED';
  if (status === 404) return 'OBJECT_MISSING';
  if (status === 409) return 'OBJECT_CONFLICT';
  if (status === 412) return 'OBJECT_EXISTS';
  if (status === 408 || status === 429) return 'STORE_BUSY';
  if (status === 507) return 'STORE_FULL';
  if (status >= 500 && status !== 501) return 'STORE_BUSY';
  if (status >= 400) return 'STORE_REJECTED';
  return 'STORE_OFFLINE';
}

interface Answer {
  readonly status: number;
  readonly name: string;
  /** Every answer of the service has one; that of a captive portal does not. */
  readonly requestId: string | undefined;
}

/** The answer that an error of the client carries. */
export function answerOf(error: unknown): Answer | undefined {
  const { statusCode, code, response } = error as {
    readonly statusCode?: unknown;
    readonly code?: unknown;
    readonly response?: { readonly headers?: { get(name: string): string | undefined } };
  };
  if (typeof statusCode !== 'number') return undefined;
  const header = (name: string): string | undefined => response?.headers?.get(name);
  const name = header('x-ms-error-code') ?? (typeof code === 'string' ? code : '');
  return { status: statusCode, name, requestId: header('x-ms-request-id') };
}

/** Translates any error of the client, once, with the store, the call and the answer as facts. */
export function azureError(error: unknown, action: string, uri: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const found = answerOf(error);
  const system = systemCode(error);
  const kind = error instanceof Error ? error.name : String(error);
  const answer = found === undefined ? (system ?? kind) : `${found.status} ${found.name}`.trim();
  return new HoldfastError(translate(found), `${action} in ${uri} failed (${answer})`, {
    cause: error,
    facts: { uri, action, system, ...defined({ ...found }) },
  });
}

function translate(found: Answer | undefined): ErrorCode {
  // No answer: refused, reset, timed out, unresolved, or a certificate that is not (yet) valid.
  if (found === undefined) return 'STORE_OFFLINE';
  const isTemporary = found.status >= 500 || found.status === 429;
  if (found.requestId === undefined && !isTemporary) return 'STORE_OFFLINE';
  const named = Object.hasOwn(byName, found.name) ? byName[found.name] : undefined;
  return named ?? byStatus(found.status);
}
