import { randomBytes } from 'node:crypto';
import type { EncryptionFacts } from '../core/encryption-facts.js';
import { factsOf, newContentKey, type ContentKey } from '../encryption/encrypted-content.js';
import type { Recipient } from '../encryption/wrapped-key.js';

/** The keys of one object while it is written. */
export interface ObjectKeys {
  readonly contentKey: ContentKey;
  /** What the manifest says: the data key, wrapped for each recipient. From then on only they have it. */
  describe(plainBytes: number): EncryptionFacts;
}

/** Fresh keys for one attempt to write one object; undefined if nobody was named: then objects are plain. */
export function objectKeys(recipients: readonly Recipient[] = []): ObjectKeys | undefined {
  if (recipients.length === 0) return undefined;
  const contentKey = newContentKey(randomBytes);
  return {
    contentKey,
    describe: (plainBytes) => factsOf(contentKey, plainBytes, recipients, randomBytes, 2),
  };
}
