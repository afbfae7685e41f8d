import { manifestKey, type Manifest } from './manifest.js';
import { isReceiptFor, type SegmentReceipts, type StoreAnswer, type StoreReceipt } from './receipt-file.js';
import { isReceiptOf, selects, type RequiredSink } from './sink.js';

/** What the recorder asked sync to find out about a segment. */
export interface OpenRequest {
  /** Answers that carry this nonce were given after the request was written. */
  readonly nonce: string;
  /** An answer may still arrive. False: sync is dead or slow, or a store is offline. */
  readonly isWaiting: boolean;
}

/** All inputs of the decision. */
export interface EvictionFacts {
  /** Facts of the local segment. */
  readonly manifest: Manifest;
  /** `undefined`: the receipt file is missing or unreadable. */
  readonly receipts: SegmentReceipts | undefined;
  /** `undefined`: sync never wrote the list; `unknown`: the list cannot be read. */
  readonly required: readonly RequiredSink[] | undefined | 'unknown';
  /** URI to id of the stores that this data folder uses now or used earlier. */
  readonly knownStores: ReadonlyMap<string, string>;
  /** Wall clock, nanoseconds since the Unix epoch. */
  readonly now: bigint;
  /** Maximum age of an answer, nanoseconds. */
  readonly maxAgeNs: bigint;
  /** `undefined`: sync was not asked about this segment yet. */
  readonly request: OpenRequest | undefined;
  /** The policy evicts this segment even if no store holds it. */
  readonly mayDrop: boolean;
}

/** Why a copy in a store does not count, and whether asking the store can change that. */
const doubts = {
  'the required sinks cannot be read': 'final',
  'no store has a receipt of it whole': 'final',
  'a required sink has no receipt': 'final',
  'the store is not the one in use': 'final',
  'the store denies it': 'final',
  'the store was not asked': 'askable',
  'the answer is too old': 'askable',
  'the answer is from the future': 'askable',
  'the answer is about something else': 'askable',
} as const satisfies Readonly<Record<string, 'final' | 'askable'>>;

/** The reason in words, for logs and tombstones. */
export type Doubt = keyof typeof doubts;

export type EvictionDecision =
  /** Every required store was asked and holds it: evict without a tombstone. */
  | { readonly kind: 'evict' }
  /** A store may hold it: ask, and decide again with its answer. */
  | { readonly kind: 'ask'; readonly doubt: Doubt }
  /** The policy evicts it without a copy; a tombstone records that. */
  | { readonly kind: 'drop'; readonly doubt: Doubt }
  /** `mayBeHeld`: a store has a receipt of it, and could not be asked. */
  | { readonly kind: 'keep'; readonly doubt: Doubt; readonly mayBeHeld: boolean };

/**
 * The only place that decides whether a local copy may be deleted. Every required sink that takes the segment
 * must have been asked by the id of its store, and by key, size and checksum of object and manifest. Each
 * must have answered that it holds the segment, no longer ago than the maximum age. At least one of these
 * copies must be the whole segment. If a store cannot be asked, the copy is kept, unless the policy evicts it
 * anyway.
 */
export function decideEviction(facts: EvictionFacts): EvictionDecision {
  const { request, mayDrop } = facts;
  const found = doubtsOf(facts);
  const final = found.find((doubt) => doubts[doubt] === 'final');
  const [first] = found;
  if (first === undefined) return { kind: 'evict' };
  // While an answer may still arrive, not even a policy evicts what a store probably holds.
  if (final === undefined && request?.isWaiting !== false) return { kind: 'ask', doubt: first };
  const doubt = final ?? first;
  return mayDrop ? { kind: 'drop', doubt } : { kind: 'keep', doubt, mayBeHeld: final === undefined };
}

function doubtsOf(facts: EvictionFacts): Doubt[] {
  const { manifest, receipts, required } = facts;
  if (required === 'unknown') return ['the required sinks cannot be read'];
  const about = receipts?.stores.filter((receipt) => isReceiptFor(receipt, manifest.file)) ?? [];
  const judged = about.map((receipt) => ({ receipt, doubt: doubtOf(receipt, facts) }));
  const best = (counts: (receipt: StoreReceipt) => boolean, none: Doubt): Doubt | undefined => {
    const own = judged.filter(({ receipt }) => counts(receipt)).map(({ doubt }) => doubt);
    if (own.length === 0) return none;
    if (own.includes(undefined)) return undefined;
    return own.find((doubt) => doubt !== undefined && doubts[doubt] === 'askable') ?? own[0];
  };
  const found = (required ?? [])
    .filter(({ selection }) => selects(selection, manifest))
    .map((sink) =>
      best((receipt) => isReceiptOf(sink, receipt, required ?? []), 'a required sink has no receipt'),
    );
  found.push(best(({ partial }) => partial !== true, 'no store has a receipt of it whole'));
  return found.filter((doubt) => doubt !== undefined);
}

/** Undefined: the store holds it, as far as this can be known. */
function doubtOf(receipt: StoreReceipt, facts: EvictionFacts): Doubt | undefined {
  const { required, knownStores, now, maxAgeNs, request } = facts;
  const known = knownStores.get(receipt.uri);
  const isRequired = Array.isArray(required) && required.some(({ storeId }) => storeId === receipt.storeId);
  if (known === undefined ? !isRequired : known !== receipt.storeId) return 'the store is not the one in use';
  const { asked } = receipt;
  if (!asked) return 'the store was not asked';
  if (!isAbout(asked, receipt, facts.manifest)) return 'the answer is about something else';
  if (asked.answer !== 'held') return 'the store denies it';
  const age = now - BigInt(asked.askedAt);
  if (age < 0n) return 'the answer is from the future';
  if (age > maxAgeNs) return 'the answer is too old';
  const isAnswer = request !== undefined && asked.request === request.nonce;
  if (!isAnswer && request?.isWaiting !== false) return 'the store was not asked';
  return undefined;
}

/** The value comes from a file and decides about deletion, so it is checked again here. */
type AnswerInFile = Omit<StoreAnswer, 'manifest'> & { readonly manifest?: StoreAnswer['manifest'] };

/** Whether the answer is about this store, this object and its manifest. */
function isAbout(asked: AnswerInFile, receipt: StoreReceipt, { file }: Manifest): boolean {
  if (asked.storeId !== receipt.storeId || !/^\d+$/.test(asked.askedAt)) return false;
  // Files derived from a segment have other names and sizes. Their marker lists them, and sync compared
  // those.
  if ((receipt.form ?? '') !== '') return asked.manifest?.key === receipt.key;
  const { object, manifest } = asked;
  const { bytes, crc32 } = receipt.encrypted ?? file;
  const { sha256 } = receipt.encrypted ?? receipt;
  return (
    object?.key === receipt.key &&
    object.bytes === bytes &&
    object.sha256 === sha256 &&
    object.crc32 === crc32 &&
    manifest?.key === manifestKey(receipt.key)
  );
}
