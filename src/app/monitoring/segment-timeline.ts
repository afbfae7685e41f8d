import { join } from 'node:path';
import { defined } from '../../core/defined.js';
import type { DataFolder } from '../../core/data-folder.js';
import { systemCode } from '../../core/errors.js';
import type { RecorderEvent } from '../../core/events.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Manifest } from '../../core/manifest.js';
import { decodePlacedManifest, nameFaults } from '../../core/manifest-place.js';
import type {
  MonitoredSegments,
  SegmentContent,
  Timeline,
  TimelineSegment,
  TimelineState,
} from '../../core/monitoring.js';
import { receiptFiles } from '../../core/receipt-file.js';
import { isSegmentId, segmentNumber } from '../../core/segment-id.js';
import type { SyncStatus } from '../../core/status.js';
import { present } from '../../core/present.js';

/** Number of segments in view, the newest. */
const SEGMENTS_MAX = 1_000;
const GAPS_MAX = 20;
/** Manifests read per step: the rest comes with the next. */
const READ_FILES_MAX = 100;
const READ_BYTES_MAX = 4 * 2 ** 20;
/** Manifests from the recorder that wait for the next step. */
const TOLD_MAX = 100;

export interface SegmentTimelinePorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  /** The segment being written. */
  readonly open: () => { readonly id: string; readonly bytes: number } | undefined;
}

type Row = Omit<TimelineSegment, 'state' | 'stores' | 'progress'>;

/** Each segment as last published, by its key, with its JSON text for comparison. */
type ShownSegments = Map<string, { readonly text: string; readonly segment: TimelineSegment }>;

/**
 * The state of each segment, from the names in the data folder: a manifest or receipt is read once, when its
 * name appears. A step costs five directory listings.
 */
export class SegmentTimeline implements MonitoredSegments {
  #version = 0;
  readonly #rows = new Map<string, Row>();
  readonly #stores = new Map<string, readonly string[]>();
  readonly #reasons = new Map<string, string>();
  readonly #contents = new Map<string, SegmentContent>();
  /** One object for all segments that hold the same, by its JSON. */
  #shared = new Map<string, SegmentContent>();
  readonly #told = new Map<string, Manifest>();
  #shown: ShownSegments = new Map();
  #last: Timeline = { version: 0, segments: [], omitted: 0, quarantined: 0 };

  readonly #ports: SegmentTimelinePorts;

  constructor(ports: SegmentTimelinePorts) {
    this.#ports = ports;
  }

  /** Manifests from the recorder need not be read. */
  note(event: RecorderEvent): void {
    if (event.kind !== 'segment-sealed') return;
    this.#told.set(baseName(event.manifest.file.name), event.manifest);
    if (this.#told.size > TOLD_MAX) this.#told.delete(present(this.#told.keys().next().value));
  }

  async refresh(sync: SyncStatus | undefined): Promise<Timeline> {
    const { folder } = this.#ports;
    const [sealedFiles, receiptFiles, tombstoneFiles, quarantined, wal] = await Promise.all(
      [folder.sealed, folder.receipts, folder.tombstones, folder.quarantine, folder.wal].map((path) =>
        this.#names(path),
      ),
    );
    const sealed = baseNames(present(sealedFiles), '.json');
    const tombstones = baseNames(present(tombstoneFiles), '.json');
    const receipts = new Set(baseNames(present(receiptFiles), '.json'));
    const onDisk = new Set(sealed);
    const all = [...new Set([...sealed, ...tombstones, ...this.#rows.keys()])].sort();
    const inView = all.slice(-SEGMENTS_MAX);
    this.#forgetBefore(inView);
    await this.#readNew(inView, onDisk, new Set(tombstones));
    await this.#readReceipts(inView.filter((name) => receipts.has(name) && !this.#stores.has(name)));

    const segments: TimelineSegment[] = [];
    for (const name of inView) {
      const row = this.#rows.get(name);
      if (row) segments.push(this.#sealedSegment(name, row, onDisk.has(name), sync));
    }
    segments.push(...this.#walSegments(present(wal).filter(isSegmentId).sort(), segments));
    for (const name of present(quarantined).sort().slice(-SEGMENTS_MAX)) {
      segments.push({ segment: name, state: 'quarantined', bytes: 0, gaps: [], moreGaps: 0 });
    }
    return this.#publish(segments, all.length - inView.length, present(quarantined).length);
  }

  contentOf(segment: TimelineSegment): SegmentContent | undefined {
    return this.#contents.get(keyOf(segment));
  }

  #learn(name: string, manifest: Manifest): void {
    const row = describe(manifest);
    this.#rows.set(name, row);
    const { text, content } = contentIn(manifest);
    const shared = this.#shared.get(text) ?? content;
    if (this.#shared.size >= SEGMENTS_MAX) this.#shared = new Map();
    this.#shared.set(text, shared);
    this.#contents.set(keyOf(row), shared);
  }

  #sealedSegment(name: string, row: Row, isHere: boolean, sync: SyncStatus | undefined): TimelineSegment {
    const stores = this.#stores.get(name);
    const reason = this.#reasons.get(name);
    const isUploading = sync?.current !== undefined && baseName(sync.current.segment) === name;
    const state: TimelineState = !isHere
      ? 'evicted'
      : stores !== undefined
        ? 'uploaded'
        : isUploading
          ? 'uploading'
          : 'sealed';
    return {
      ...row,
      state,
      ...(state === 'uploading'
        ? { progress: Math.round(present(present(sync).current).progress * 1_000) / 1_000 }
        : {}),
      ...defined({ stores }),
      ...(isHere || reason === undefined ? {} : { reason }),
    };
  }

  /** The newest segment of the WAL is being written; the others wait to be sealed. */
  #walSegments(ids: readonly string[], sealed: readonly TimelineSegment[]): TimelineSegment[] {
    const known = new Set(sealed.map(({ segment }) => segment));
    const open = this.#ports.open();
    return ids
      .filter((id) => !known.has(id))
      .map((id) => ({
        segment: id,
        number: segmentNumber(id),
        state: id === open?.id ? ('open' as const) : ('waiting' as const),
        bytes: id === open?.id ? open.bytes : 0,
        gaps: [],
        moreGaps: 0,
      }));
  }

  /** Unchanged segments stay the same objects, so that an observer can detect changes cheaply. */
  #publish(segments: readonly TimelineSegment[], omitted: number, quarantined: number): Timeline {
    const shown: ShownSegments = new Map();
    let isSame =
      segments.length === this.#shown.size &&
      omitted === this.#last.omitted &&
      quarantined === this.#last.quarantined;
    const stable = segments.map((segment) => {
      const key = keyOf(segment);
      const text = JSON.stringify(segment);
      const before = this.#shown.get(key);
      const entry = before?.text === text ? before : { text, segment };
      if (entry !== before) isSame = false;
      shown.set(key, entry);
      return entry.segment;
    });
    if (isSame) return this.#last;
    this.#shown = shown;
    this.#last = { version: ++this.#version, segments: stable, omitted, quarantined };
    return this.#last;
  }

  /** Newest first, as many as one step may read. */
  async #readNew(
    names: readonly string[],
    sealed: ReadonlySet<string>,
    tombstones: ReadonlySet<string>,
  ): Promise<void> {
    const { folder } = this.#ports;
    let files = 0;
    let bytes = 0;
    for (const name of names.toReversed()) {
      const isTold = this.#told.has(name);
      const mustRead = !this.#rows.has(name) || (tombstones.has(name) && !this.#reasons.has(name));
      if (!mustRead || files >= READ_FILES_MAX || bytes >= READ_BYTES_MAX) continue;
      const from = tombstones.has(name) ? folder.tombstones : folder.sealed;
      if (!tombstones.has(name) && !sealed.has(name)) continue;
      if (isTold && !tombstones.has(name)) {
        this.#learn(name, present(this.#told.get(name)));
        this.#told.delete(name);
        continue;
      }
      const text = await this.#read(join(from, `${name}.json`));
      files++;
      bytes += text?.length ?? 0;
      const manifest = text === undefined ? undefined : parsed(text, name);
      if (!manifest) continue;
      this.#learn(name, manifest);
      if (manifest.evicted) this.#reasons.set(name, manifest.evicted.reason);
      else if (tombstones.has(name)) this.#reasons.set(name, 'evicted');
    }
  }

  async #readReceipts(names: readonly string[]): Promise<void> {
    for (const name of names.slice(-READ_FILES_MAX)) {
      const text = await this.#read(join(this.#ports.folder.receipts, `${name}.json`));
      // Missing while it is being written, or damaged: then sync writes it again.
      const stores = receiptFiles.parseIfValid(text ?? '')?.stores ?? [];
      if (stores.length > 0) this.#stores.set(name, [...new Set(stores.map(({ uri }) => uri))]);
    }
  }

  #forgetBefore(inView: readonly string[]): void {
    if (this.#rows.size <= SEGMENTS_MAX) return;
    const keep = new Set(inView);
    for (const [name, row] of this.#rows) if (!keep.has(name)) this.#contents.delete(keyOf(row));
    for (const map of [this.#rows, this.#stores, this.#reasons] as const) {
      for (const name of map.keys()) if (!keep.has(name)) map.delete(name);
    }
  }

  async #names(path: string): Promise<string[]> {
    try {
      return await this.#ports.fs.readdir(path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Undefined if it vanished meanwhile. */
  async #read(path: string): Promise<string | undefined> {
    try {
      return await this.#ports.fs.readFile(path, 'utf8');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

function keyOf({ segment, robot, priority }: Pick<Row, 'segment' | 'robot' | 'priority'>): string {
  return `${segment}/${robot ?? ''}/${priority ?? ''}`;
}

/** What a manifest says that its segment holds, and the same as JSON. */
function contentIn({ channels, tags = {}, vin }: Manifest): { text: string; content: SegmentContent } {
  const topics = new Map<string, SegmentContent['topics'][number]>();
  for (const { topic, type, encoding, count } of channels)
    if (count > 0) topics.set(JSON.stringify([topic, type, encoding]), { topic, type, encoding });
  const sorted = [...topics].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, topic]) => topic);
  const content = { topics: sorted, tags, ...defined({ vin }) };
  return { text: JSON.stringify(content), content };
}

function describe(manifest: Manifest): Row {
  const { segment, robot, file, messages, firstLogTime, lastLogTime, sealedAt, gaps } = manifest;
  return {
    segment: segment.id,
    number: segment.number,
    robot,
    ...defined({ priority: segment.priority }),
    bytes: file.bytes,
    messages,
    ...defined({ firstLogTime, lastLogTime }),
    sealedAt,
    ...(manifest.uncleanEnd ? { uncleanEnd: true } : {}),
    ...defined({ events: manifest.events }),
    gaps: gaps.slice(0, GAPS_MAX).map(({ reason, topic, count, firstTime, lastTime }) => ({
      reason,
      ...defined({ topic, count, firstTime, lastTime }),
    })),
    moreGaps: Math.max(0, gaps.length - GAPS_MAX),
  };
}

/** `holdfast verify` reports a damaged manifest, or one of another place; here it is just not shown. */
function parsed(text: string, name: string): Manifest | undefined {
  try {
    return decodePlacedManifest(text, name, (manifest) => nameFaults(name, manifest));
  } catch {
    return undefined;
  }
}

function baseName(file: string): string {
  return file.replace(/\.(mcap|json)$/, '');
}

function baseNames(files: readonly string[], ending: string): string[] {
  return files.filter((file) => file.endsWith(ending)).map((file) => file.slice(0, -ending.length));
}
