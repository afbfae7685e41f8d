import type { StorageClass } from '@aws-sdk/client-s3';
import { defined } from '../../core/defined.js';
import type { OptionReader } from '../option-reader.js';

/** Server-side encryption of new objects. */
export const encryptionModes = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const;
export type EncryptionMode = (typeof encryptionModes)[number];

/** What a store is asked to do with new objects. Absent: its default. */
export interface NewObjectOptions {
  readonly encryption?: EncryptionMode;
  /** ARN, id or alias of the key. Absent: the default key of the bucket or account. */
  readonly kmsKeyId?: string;
  /** Class of new objects, as the store calls it. */
  readonly storageClass?: string;
  /** Tags of new objects, in the form of `x-amz-tagging`. */
  readonly tagging?: string;
}

/** Names of the options, as in the query of a URI. */
export const newObjectOptionNames = ['sse', 'sse_kms_key_id', 'storage_class', 'tags'] as const;

/** Limits of S3. */
const MAX_TAGS = 10;
const TAG_TEXT = /^[\p{L}\p{N} _.:/=+@-]*$/u;
const MAX_NAME = 128;
const MAX_VALUE = 256;

/** A restore comes before the first read, so sync could not verify what it sent. */
const UNREADABLE: readonly string[] = ['GLACIER', 'DEEP_ARCHIVE'];

export const STORAGE_CLASS_FORM = `capital letters, digits and "_", and a class that can be read at once (not ${UNREADABLE.join(', ')})`;
export const TAGS_FORM = `name=value,...: at most ${MAX_TAGS}, names up to ${MAX_NAME} and values up to ${MAX_VALUE} letters, digits, spaces and _.:/=+@-, no name twice, none with "aws:"`;
export const KMS_KEY_FORM = 'the ARN, id or alias of a key';

export function isStorageClass(text: string): boolean {
  return /^[A-Z0-9_]{1,40}$/.test(text) && !UNREADABLE.includes(text);
}

export function isKmsKeyId(text: string): boolean {
  return /^[A-Za-z0-9:/_-]{1,2048}$/.test(text);
}

/** The tags of `name=value,...`; undefined if S3 would refuse them. */
export function parseTags(text: string): ReadonlyMap<string, string> | undefined {
  const tags = new Map<string, string>();
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const [name, value] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    const isName = at > 0 && name !== '' && name.length <= MAX_NAME && !/^aws:/i.test(name);
    if (!isName || value.length > MAX_VALUE || !TAG_TEXT.test(name + value) || tags.has(name))
      return undefined;
    tags.set(name, value);
  }
  return tags.size > MAX_TAGS ? undefined : tags;
}

/** Parses the options and collects every fault. */
export function parseNewObjectOptions(read: OptionReader, faults: string[]): NewObjectOptions {
  const encryption = read.choice('sse', encryptionModes);
  const kmsKeyId = read.form('sse_kms_key_id', isKmsKeyId, KMS_KEY_FORM);
  if (kmsKeyId !== undefined && encryption?.startsWith('aws:kms') !== true) {
    faults.push('sse_kms_key_id is given without sse, allowed: with sse=aws:kms or sse=aws:kms:dsse');
  }
  const storageClass = read.form('storage_class', isStorageClass, STORAGE_CLASS_FORM);
  const tags = read.form('tags', (text) => parseTags(text) !== undefined, TAGS_FORM);
  const tagging =
    tags === undefined ? undefined : new URLSearchParams([...(parseTags(tags) ?? [])]).toString();
  return defined({ encryption, kmsKeyId, storageClass, tagging });
}

/** Members of a request that makes an object. */
export interface NewObjectInput {
  readonly ServerSideEncryption?: EncryptionMode;
  readonly SSEKMSKeyId?: string;
  readonly StorageClass?: StorageClass;
  readonly Tagging?: string;
}

/** Of a request that makes an object of the caller. */
export function newObjectInput(options: NewObjectOptions): NewObjectInput {
  const { storageClass, tagging } = options;
  // The client's type knows the classes of AWS only.
  const StorageClass = storageClass as StorageClass | undefined;
  return { ...ownObjectInput(options), ...defined({ StorageClass, Tagging: tagging }) };
}

/** Of a request that makes one of Holdfast's own small objects, which have neither class nor tags. */
export function ownObjectInput({ encryption, kmsKeyId }: NewObjectOptions): NewObjectInput {
  return defined({ ServerSideEncryption: encryption, SSEKMSKeyId: kmsKeyId });
}
