import { basename, join } from 'node:path';
import { isHoldfastError } from '../../core/errors.js';
import { listEvents, readEvent } from '../../core/event-files.js';
import type { MarkedEvent } from '../../core/events.js';
import type { Manifest } from '../../core/manifest.js';
import type { SegmentReceipts, StoreReceipt } from '../../core/receipt-file.js';
import { listRows, type RowFilter, type SegmentState } from '../reading/list-segments.js';
import type { FilePool } from '../reading/file-readable.js';
import type { Located } from '../reading/locate.js';
import { readManifestFile, type OpenCatalogue, type Problem } from '../reading/segments.js';
import { readManifestObject } from '../reading/store-entries.js';

/** What is known of one segment without reading its messages. */
export interface SegmentRecord {
  readonly name: string;
  readonly state: SegmentState;
  readonly bytes: number;
  readonly robot?: string;
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  readonly messages?: number;
  readonly manifest?: Manifest;
  readonly receipts: readonly StoreReceipt[];
}

/** What is known of a recording without reading its messages. */
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

/** Segments with their manifests and receipts, and marked events, as data folder or store hold them. */
export async function recordingFacts(located: Located, ports: FactPorts): Promise<RecordingFacts> {
  const segments: SegmentRecord[] = [];
  const events = new Map<string, MarkedEvent>();
  // Of files of others nothing is known but what reading them tells.
  if (located.kind === 'mcap') return { segments, events: [] };
  for await (const row of listRows(located, ports)) {
    ports.signal.throwIfAborted();
    const { where, state, bytes } = row;
    const manifest = await manifestOf(located, where, state, ports);
    for (const event of manifest?.events ?? []) events.set(event.id, event);
    segments.push({
      name: basename(where).replace(/\.(mcap|json)$/, ''),
      state,
      bytes,
      ...(row.robot === undefined ? {} : { robot: row.robot }),
      ...(row.firstLogTime === undefined ? {} : { firstLogTime: BigInt(row.firstLogTime) }),
      ...(row.lastLogTime === undefined ? {} : { lastLogTime: BigInt(row.lastLogTime) }),
      ...(row.messages === undefined ? {} : { messages: row.messages }),
      ...(manifest === undefined ? {} : { manifest }),
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

/** Read a second time: the row says only what `ls` shows. */
async function manifestOf(
  located: Located,
  where: string,
  state: SegmentState,
  { files, signal }: FactPorts,
): Promise<Manifest | undefined> {
  if (state !== 'sealed' && state !== 'uploaded' && state !== 'evicted') return undefined;
  const name = where.replace(/\.mcap$/, '.json');
  try {
    if (located.kind === 'data') return await readManifestFile(files, name);
    if (located.kind !== 'store') return undefined;
    const info = await located.store.head(name, { signal });
    return info === undefined ? undefined : await readManifestObject(located.store, info, signal);
  } catch (error) {
    // The row's own reading has said so, or it went away since.
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
  const path = join(located.folder.receipts, basename(where).replace(/\.mcap$/, '.json'));
  try {
    const { stores } = JSON.parse(await files.fs.readFile(path, 'utf8')) as SegmentReceipts;
    return Array.isArray(stores) ? stores : [];
  } catch {
    // None, or damaged: then sync writes it anew.
    return [];
  }
}
