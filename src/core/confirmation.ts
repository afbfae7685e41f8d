import { documentKind } from './documents/document.js';
import { confirmationSchema } from './documents/folder-schemas.js';
import { readStateIfReadable, writeFileDurably } from './durable-files.js';
import type { FileSystem } from './file-system.js';

/** In the data folder: which segments the recorder wants to evict, for sync to ask their stores about. */
export const CONFIRM_FILE = 'confirm.json';

/** Maximum number of segments in one request. It bounds what one request can cost a store. */
export const CONFIRM_NAMES_MAX = 64;

/** The recorder writes one request at a time; sync answers in the receipts of these segments. */
export interface ConfirmationRequest {
  readonly version: 1;
  /** Every answer repeats it, which proves that the answer is younger than the request. */
  readonly nonce: string;
  /** Sealed names without `.mcap`, in the order in which the recorder wants to evict them. */
  readonly names: readonly string[];
}

/** Schema of `confirm.json`. */
const requests = documentKind<ConfirmationRequest>('request of the recorder', confirmationSchema);

/** The present request; undefined if the file is missing or invalid. */
export async function readConfirmationRequest(
  fs: FileSystem,
  path: string,
): Promise<ConfirmationRequest | undefined> {
  const bytes = await readStateIfReadable(fs, path);
  const request = requests.parseIfValid(bytes?.toString('utf8'));
  return request && { ...request, names: request.names.slice(0, CONFIRM_NAMES_MAX) };
}

export async function writeConfirmationRequest(
  fs: FileSystem,
  path: string,
  request: Omit<ConfirmationRequest, 'version'>,
): Promise<void> {
  await writeFileDurably(fs, path, `${JSON.stringify({ version: 1, ...request })}\n`);
}
