import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { documentKind } from '../core/documents/document.js';
import { count, flag, listOf, literal, object, text, time } from '../core/documents/schema-parts.js';
import { HoldfastError } from '../core/errors.js';
import { decodeKey, encodeKey } from '../encryption/key-text.js';
import { signingKey, verifyingBytes, verifyingKey } from '../encryption/signing-key.js';
import type { KeptObject, PlacePlan, RemovedObject } from './deletion-place.js';
import type { DeletionRequestJson } from './deletion-request.js';

/** What was removed from one place, and what stays there. */
export interface PlaceReceipt {
  readonly place: string;
  readonly kind: PlacePlan['kind'];
  readonly removed: readonly RemovedObject[];
  readonly kept: readonly KeptObject[];
  readonly notes: readonly string[];
}

/** What a deletion did. docs/deletion.md describes its bytes. */
export interface DeletionReceipt {
  readonly format: 'holdfast-deletion-receipt';
  readonly version: 1;
  readonly plan: string;
  readonly request: DeletionRequestJson;
  readonly by: string;
  readonly reason: string;
  /** Decimal nanoseconds since the Unix epoch. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly places: readonly PlaceReceipt[];
}

interface Signature {
  readonly algorithm: 'Ed25519';
  /** The verifying key of the signer, `hfver1_...`. */
  readonly key: string;
  /** Base64 of 64 bytes. */
  readonly value: string;
}

/** Before the JSON, so that a signature of something else can never pass for one of a receipt. */
const DOMAIN = 'holdfast-deletion-receipt-v1\n';

const planned = {
  ...{ key: text, bytes: count, crc32: count, messages: count, firstLogTime: time, lastLogTime: time },
};
const plannedSchema = object(planned, { part: flag });
const removedSchema = object(planned, {
  part: flag,
  remainder: object({ key: text, bytes: count, crc32: count, messages: count }),
});
const keptSchema = object({ key: text, bytes: count, why: text });

/** Schema of what the request names. */
export const requestSchema = object({ robot: text, from: time, to: time }, { topics: listOf(text) });

/** Schema of the plan of one place. */
export const placePlanSchema = object({
  ...{
    place: text,
    kind: text,
    remove: listOf(plannedSchema),
    keep: listOf(keptSchema),
    notes: listOf(text),
  },
});

const receipts = documentKind<DeletionReceipt & { readonly signature: Signature }>(
  'receipt of a deletion',
  object({
    ...{ format: literal('holdfast-deletion-receipt'), version: literal(1), plan: text },
    ...{ request: requestSchema, by: text, reason: text, startedAt: time, finishedAt: time },
    places: listOf(
      object({
        ...{ place: text, kind: text, removed: listOf(removedSchema), kept: listOf(keptSchema) },
        notes: listOf(text),
      }),
    ),
    signature: object({ algorithm: literal('Ed25519'), key: text, value: text }),
  }),
);

/** The text of a signed receipt. */
export function encodeReceipt(receipt: DeletionReceipt, secret: KeyObject): string {
  const signature: Signature = {
    algorithm: 'Ed25519',
    key: encodeKey('verifying', verifyingBytes(createPublicKey(secret))),
    value: sign(null, signedBytes(receipt), secret).toString('base64'),
  };
  return `${JSON.stringify({ ...receipt, signature }, null, 1)}\n`;
}

/**
 * Checks the signature by one of the keys. Throws `MANIFEST_INVALID` for anything but a receipt, and
 * `RECEIPT_UNPROVEN` if none of the keys signed it, or it was changed.
 */
export function verifyReceipt(
  text: string,
  keys: readonly Buffer[],
  name: string,
): DeletionReceipt & { readonly signedBy: string } {
  const { signature, ...receipt } = receipts.parse(text, name);
  const signer = decodeKey('verifying', signature.key, `${name}, signature.key`);
  const known = keys.find((key) => key.equals(signer));
  if (known === undefined) {
    throw unproven(name, `is signed by ${signature.key}, which no given key matches`);
  }
  const value = Buffer.from(signature.value, 'base64');
  const isCanonical = value.toString('base64') === signature.value;
  if (!isCanonical || !verify(null, signedBytes(receipt), verifyingKey(known), value)) {
    throw unproven(name, 'does not fit its signature: it was changed after it was signed');
  }
  return { ...receipt, signedBy: signature.key };
}

/** The members as they are in the file, without the signature, as JSON without white space. */
function signedBytes(receipt: DeletionReceipt): Buffer {
  return Buffer.from(DOMAIN + JSON.stringify(receipt));
}

function unproven(name: string, what: string): HoldfastError {
  return new HoldfastError('RECEIPT_UNPROVEN', `the receipt ${name} ${what}`, { facts: { name } });
}

/** The secret key in the text of a key file. Throws `KEY_INVALID`. */
export function readSigningKey(text: string, where: string): KeyObject {
  const lines = text.split('\n').map((line) => line.trim());
  const line = lines.find((one) => one !== '' && !one.startsWith('#')) ?? '';
  return signingKey(decodeKey('signing', line, where));
}
