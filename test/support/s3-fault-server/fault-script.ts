import { Random } from '../../../src/core/random.js';
/** Names of the S3 operations the server knows; a fault is aimed at one of them. */
export const operations = [
  'CreateBucket',
  'HeadBucket',
  'ListObjectsV2',
  'ListMultipartUploads',
  'GetObject',
  'HeadObject',
  'PutObject',
  'DeleteObject',
  'CreateMultipartUpload',
  'UploadPart',
  'ListParts',
  'CompleteMultipartUpload',
  'AbortMultipartUpload',
] as const;

export type Operation = (typeof operations)[number];

/** Answers instead of doing anything: HTTP status and S3 error code. */
export const refusals = {
  'error-500': [500, 'InternalError'],
  'bad-gateway': [502, 'BadGateway'],
  'slow-down': [503, 'SlowDown'],
  'too-many-requests': [429, 'TooManyRequests'],
  forbidden: [403, 'AccessDenied'],
  'expired-token': [400, 'ExpiredToken'],
  'clock-skew': [403, 'RequestTimeTooSkewed'],
  'no-such-bucket': [404, 'NoSuchBucket'],
  'no-such-key': [404, 'NoSuchKey'],
  /** An answer of before the object was there. */
  'old-head': [404, 'NoSuchKey'],
  conflict: [409, 'ConditionalRequestConflict'],
  'precondition-failed': [412, 'PreconditionFailed'],
  'bad-request': [400, 'InvalidArgument'],
  'too-large': [400, 'EntityTooLarge'],
  'quota-exceeded': [507, 'InsufficientStorage'],
  'not-implemented': [501, 'NotImplemented'],
} as const;

/** Faults that are more than an answer. */
export const mischiefs = [
  /** Takes the request in, does nothing, never answers. */
  'timeout-before-commit',
  /** Does it, never answers. */
  'timeout-after-commit',
  /** Takes half of the body, then resets the connection. */
  'reset-mid-body',
  /** Does it, then resets the connection instead of answering. */
  'reset-after-commit',
  /** Does it, sends half of the answer, then resets the connection. */
  'reset-mid-response',
  /** Does it and answers after `delayMs`. */
  'slow-response',
  /** Answers 200 with an error inside, as S3 does when completion fails late. */
  'error-in-200',
  /** Answers 200 with a web page, as a captive portal does. */
  'captive-portal',
  /** Stores the bytes with one bit flipped. */
  'corrupt-bytes',
  /** Forgets the upload first, so that the call finds none. */
  'upload-vanishes',
  /** Loses the object first. */
  'object-lost',
  /** Puts another object of the bucket under the key first. */
  'other-object',
  /** ListObjectsV2 answers as before anything was there. */
  'old-list',
  /** ListParts leaves out part `partNumber` (default: the last). */
  'part-missing',
  /** ListParts gives part `partNumber` another size. */
  'part-wrong-size',
  /** ListParts gives part `partNumber` another ETag. */
  'part-wrong-etag',
] as const;

export type Refusal = keyof typeof refusals;
export type Fault = Refusal | (typeof mischiefs)[number];

export interface FaultRule {
  /** Absent: any operation. */
  readonly operation?: Operation;
  /** Only requests whose key matches. */
  readonly key?: RegExp;
  readonly fault: Fault;
  /** First matching request it strikes, from 1, counted from when the rule was added. Default 1. */
  readonly nth?: number;
  /** How many matching requests in a row from there. Default 1; Infinity for all. */
  readonly times?: number;
  /** Chance of each request that is due; drawn from the seeded generator. Default 1. */
  readonly probability?: number;
  /** For `slow-response`. Default 100. */
  readonly delayMs?: number;
  readonly partNumber?: number;
}

/** Which request is struck by what; the same seed and requests give the same faults. */
export class FaultScript {
  #rules: { readonly rule: FaultRule; seen: number }[] = [];
  readonly #random: Random;

  constructor(seed = 1) {
    this.#random = new Random(seed);
  }

  add(...rules: readonly FaultRule[]): void {
    for (const rule of rules) this.#rules.push({ rule, seen: 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  /** The first rule that strikes this request; every matching rule counts it. */
  strike(operation: Operation | undefined, key: string): FaultRule | undefined {
    let struck: FaultRule | undefined;
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.operation !== undefined && rule.operation !== operation) continue;
      if (rule.key !== undefined && !rule.key.test(key)) continue;
      entry.seen++;
      const first = rule.nth ?? 1;
      if (struck || entry.seen < first || entry.seen >= first + (rule.times ?? 1)) continue;
      if (this.#random.unit() < (rule.probability ?? 1)) struck = rule;
    }
    return struck;
  }
}
