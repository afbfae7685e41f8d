import { basename, join } from 'node:path';
import { defined } from '../../core/defined.js';
import { isHoldfastError } from '../../core/errors.js';
import { listEvents, readEvent } from '../../core/event-files.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import { manifestKey, type Manifest } from '../../core/manifest.js';
import { receiptFiles, type StoreReceipt } from '../../core/receipt-file.js';
import { listRows, type RowFilter, type SegmentState } from '../../recordings/list-segments.js';
import type { FilePool } from '../../recordings/file-readable.js';
import type { Located } from '../../recordings/locate.js';
import { changedCopies } from './changed-copies.js';
import { readManifestFile, type OpenCatalogue, type Problem } from '../../recordings/segments.js';
import { readManifestObject } from '../../recordings/catalogue/store-entries.js';

/** Facts of one segment, known without reading its messages. */
export interface SegmentRecord {
  readonly name: string;
  readonly state: SegmentState;
  readonly bytes: number;
  readonly robot?: string;
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  readonly messages?: number;
  readonly manifest?: Manifest;
  /** Of the changed copy in the data folder, if it is there. */
  readonly copy?: Manifest;
  readonly receipts: readonly StoreReceipt[];
}

/** Facts of a recording, known without reading its messages. */
export interface RecordingFacts {
  readonly segments: readonly SegmentRecord[];
  readonly events: readonly MarkedEvent[];
}

export interface FactPorts {
  readonly files: FilePool;
  readonly onProblem: (problem: Problem) => void;
  readonly signal: AbortSignal;
  readonly filter?: RowFilter;
  readonly openCatalogue?: OpenCatalogue;
}

/** Segments with their manifests and receipts, and marked events, from the data folder or store. */
export async function recordingFacts(located: Located, ports: FactPorts): Promise<RecordingFacts> {
  const segments: SegmentRecord[] = [];
  const events = new Map<string, MarkedEvent>();
  // Files of other tools have no facts beside their content.
  if (located.kind === 'mcap') return { segments, events: [] };
  const copies =
    located.kind === 'data'
      ? await changedCopies(located.folder.transformed, ports)
      : new Map<string, Manifest>();
  for await (const row of listRows(located, ports)) {
    ports.signal.throwIfAborted();
    const { where, state, bytes } = row;
    const manifest = await manifestOf(located, where, state, ports);
    for (const event of manifest?.events ?? []) events.set(event.id, event);
    const name = basename(where).replace(/\.(mcap|json)$/, '');
    segments.push({
      name,
      state,
      bytes,
      ...defined({ robot: row.robot }),
      ...(row.firstLogTime === undefined ? {} : { firstLogTime: BigInt(row.firstLogTime) }),
      ...(row.lastLogTime === undefined ? {} : { lastLogTime: BigInt(row.lastLogTime) }),
      ...defined({ messages: row.messages, manifest, copy: copies.get(name) }),
      receipts: await receiptsOf(located, where, ports.files),
    });
  }
  if (located.kind === 'data') {
    const { files } = ports;
    for (const id of await listEvents(files.fs, located.folder.events)) {
      const event = await readEvent(files.fs, located.folder.events, id);
      if (event !== undefined) events.set(id, event);
      else ports.onProblem({ where: join(located.folder.events, `${id}.json`), reason: 'a damaged mark' });
    }
  }
  return { segments, events: [...events.values()] };
}

/** Read a second time: the row has only what `ls` shows. */
async function manifestOf(
  located: Located,
  where: string,
  state: SegmentState,
  { files, signal }: FactPorts,
): Promise<Manifest | undefined> {
  if (state !== 'sealed' && state !== 'uploaded' && state !== 'evicted') return undefined;
  const name = manifestKey(where);
  try {
    if (located.kind === 'data') return await readManifestFile(files, name);
    if (located.kind !== 'store') return undefined;
    const info = await located.store.head(name, { signal });
    return info === undefined ? undefined : await readManifestObject(located.store, info, signal);
  } catch (error) {
    // The row's own reading has reported it, or it vanished since.
    if (!isHoldfastError(error, 'MANIFEST_INVALID') && !isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    return undefined;
  }
}

async function receiptsOf(
  located: Located,
  where: string,
  files: FilePool,
): Promise<readonly StoreReceipt[]> {
  if (located.kind !== 'data') return [];
  const path = join(located.folder.receipts, manifestKey(basename(where)));
  try {
    return receiptFiles.parse(await files.fs.readFile(path, 'utf8'), path).stores;
  } catch {
    // Missing, or damaged: then sync writes it again.
    return [];
  }
}
