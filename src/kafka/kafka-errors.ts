import type { ErrorCode } from '../core/error-catalogue.js';
import { describeError, HoldfastError } from '../core/errors.js';

/** Errors of the protocol (https://kafka.apache.org/protocol#protocol_error_codes) that say what to do. */
const codes: Readonly<Record<string, ErrorCode>> = {
  MESSAGE_TOO_LARGE: 'STORE_REJECTED',
  RECORD_LIST_TOO_LARGE: 'STORE_REJECTED',
  INVALID_RECORD: 'STORE_REJECTED',
  INVALID_TIMESTAMP: 'STORE_REJECTED',
  CORRUPT_MESSAGE: 'STORE_REJECTED',
  INVALID_TOPIC_EXCEPTION: 'STORE_NOT_FOUND',
  UNKNOWN_TOPIC_OR_PARTITION: 'STORE_NOT_FOUND',
  TOPIC_AUTHORIZATION_FAILED: 'STORE_ACCESS_DENIED',
  CLUSTER_AUTHORIZATION_FAILED: 'STORE_ACCESS_DENIED',
  SASL_AUTHENTICATION_FAILED: 'STORE_ACCESS_DENIED',
  POLICY_VIOLATION: 'STORE_REJECTED',
};
const AUTHENTICATION = 'PLT_KFK_AUTHENTICATION';
const MAX_DEPTH = 8;

/** An error of the client as one of the STORE_ codes. */
export function kafkaError(error: unknown, uri: string): unknown {
  if (error instanceof HoldfastError) return error;
  const all = [...causesOf(error, 0)];
  const code =
    all.map(({ apiId }) => codes[apiId ?? '']).find((found) => found !== undefined) ??
    (all.some((one) => one.code === AUTHENTICATION) ? 'STORE_ACCESS_DENIED' : 'STORE_OFFLINE');
  // Each cause comes on its own.
  const texts = all.map(({ message }) => message.replace(/\.$/, '')).filter((text) => text !== '');
  const said = [...new Set(texts)].slice(0, MAX_SAID);
  if (said.length === 0) said.push(describeError(error));
  return new HoldfastError(code, `${uri}: ${said.join('; ')}`, { facts: { uri } });
}

const MAX_SAID = 3;

type ClientError = Error & { readonly apiId?: string; readonly code?: string };

/** The client puts errors of several brokers into one. */
function* causesOf(error: unknown, depth: number): Generator<ClientError> {
  if (!(error instanceof Error) || depth > MAX_DEPTH) return;
  yield error;
  if (error instanceof AggregateError) for (const one of error.errors) yield* causesOf(one, depth + 1);
  yield* causesOf(error.cause, depth + 1);
}
