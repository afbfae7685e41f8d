import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { documentKind, type DocumentKind } from '../core/documents/document.js';
import { spentSchema, storeMemorySchema } from '../core/documents/folder-schemas.js';
import { readFileIfPresent } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import { decodeEvent } from '../core/event-files.js';
import { KNOWN_STORES_FILE, knownStoreFiles } from '../core/known-stores.js';
import { LOST_FILE, lostFiles } from '../core/lost-segments.js';
import { SEND_POLICY_FILE, sendPolicyFiles } from '../core/send-policy/policy-record.js';
import { CONDITION_VALUES_FILE, conditionValueFiles } from '../core/send-policy/topic-values.js';
import { SINKS_FILE, sinkFiles } from '../core/sink.js';
import { EVICTED_FILE, evictedFiles } from '../seal/retention-records.js';
import { UNSEALED_FILE, unsealedFiles } from '../seal/set-aside.js';
import type { FilePool } from './file-readable.js';
import type { Findings } from './findings.js';
import { namesIn } from './segments.js';

/** The documents of a data folder beside its segments, and what damage to each one means. */
const documents: readonly (readonly [file: string, kind: DocumentKind<unknown>, otherwise: string])[] = [
  [SINKS_FILE, sinkFiles, 'nothing is evicted as uploaded until sync runs'],
  [UNSEALED_FILE, unsealedFiles, 'what cannot be sealed is found again'],
  [LOST_FILE, lostFiles, 'the scrub of sync finds lost segments again'],
  [EVICTED_FILE, evictedFiles, 'the totals of evictions start at zero'],
  [KNOWN_STORES_FILE, knownStoreFiles, 'stores are known by receipts only'],
  ['spent.json', documentKind('bytes sent by day', spentSchema), 'the budget of the day starts again'],
  [SEND_POLICY_FILE, sendPolicyFiles, 'sync writes it again'],
  [CONDITION_VALUES_FILE, conditionValueFiles, 'the recorder writes it again'],
  [
    'store-findings.json',
    documentKind('store findings', storeMemorySchema),
    'it is found out again what stores refuse',
  ],
];

/** Checks the documents of a data folder that do not belong to one segment. */
export async function checkFolderDocuments(
  files: FilePool,
  folder: DataFolder,
  findings: Findings,
): Promise<void> {
  for (const [file, kind, otherwise] of documents) {
    const path = join(folder.root, file);
    try {
      const bytes = await readFileIfPresent(files.fs, path);
      if (bytes !== undefined) kind.parse(bytes.toString('utf8'), path);
    } catch (error) {
      findings.add('warning', path, file, 'valid', `${describeError(error)}; ${otherwise}`);
    }
  }
  const unreadable = (path: string) => (error: unknown) => {
    findings.add('warning', path, 'marked events', 'readable', describeError(error));
    return undefined;
  };
  for (const name of await namesIn(files, folder.events, unreadable(folder.events))) {
    if (!name.endsWith('.json')) continue;
    const path = join(folder.events, name);
    const bytes = await readFileIfPresent(files.fs, path).catch(unreadable(path));
    if (bytes === undefined || decodeEvent(bytes.toString('utf8'), name.slice(0, -'.json'.length))) continue;
    findings.add('warning', path, 'marked event', 'valid', 'damaged, or of another id');
  }
}
