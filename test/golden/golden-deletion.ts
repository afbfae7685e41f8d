import { createPublicKey } from 'node:crypto';
import { encodeReceipt, verifyReceipt, type DeletionReceipt } from '../../src/deletion/deletion-receipt.js';
import { decodeHold, encodeHold, type LegalHold } from '../../src/deletion/legal-hold.js';
import { decodeJournal, encodeJournal, type DeletionJournal } from '../../src/deletion/run-deletion.js';
import { encodeKey } from '../../src/encryption/key-text.js';
import { signingKey, verifyingBytes } from '../../src/encryption/signing-key.js';
import { textDocument, type GoldenDocument } from './golden-document.js';

const secret = signingKey(Buffer.alloc(32, 7));
const key = verifyingBytes(createPublicKey(secret));
const plan = '0123456789abcdef';
const times = { from: '1700000000000000000', to: '18446744073709551615' };
const request = { robot: 'squid', ...times, topics: ['/état*'] };
const removed = {
  ...{ key: 'robot=squid/a.mcap', bytes: 2 ** 45, crc32: 0xffff_fffe, messages: 3 },
  ...{ firstLogTime: '1700000000000000001', lastLogTime: '1700000000000000002' },
};
const kept = { key: 'robot=squid/b.mcap', bytes: 5, why: 'legal hold 00000000000000aa: Fall 17' };
const place = { place: 's3://fleet/a', kind: 'store', notes: ['a note'] } as const;
const hold: LegalHold = {
  ...{ format: 'holdfast-hold', version: 1, id: '00000000000000aa', robot: 'squid', ...times },
  ...{ reason: 'Fall 17', by: 'Größe', at: '3', released: { at: '4', by: 'ada', reason: 'closed' } },
};
const journal: DeletionJournal = {
  ...{ format: 'holdfast-deletion-journal', version: 1 },
  plan: { id: plan, request, places: [{ ...place, remove: [removed], keep: [kept] }] },
  facts: { at: '3', by: 'Größe', reason: 'request 12', plan },
};
const receipt: DeletionReceipt = {
  ...{ format: 'holdfast-deletion-receipt', version: 1, plan, request, by: 'Größe', reason: 'request 12' },
  ...{ startedAt: '3', finishedAt: '4', places: [{ ...place, removed: [removed], kept: [kept] }] },
};

/** The documents of a deletion. */
export const goldenDeletion: readonly GoldenDocument[] = [
  textDocument('hold', `${hold.id}.json`, hold, encodeHold, decodeHold),
  textDocument('deletion-journal', 'journal.json', journal, encodeJournal, decodeJournal),
  textDocument(
    'deletion-receipt',
    'receipt.json',
    { ...receipt, signedBy: encodeKey('verifying', key) },
    () => encodeReceipt(receipt, secret),
    (text, name) => verifyReceipt(text, [key], name),
  ),
];
