import { join } from 'node:path';

/** The fixed places inside a data folder. */
export interface DataFolder {
  readonly root: string;
  /** LevelDB directories of open segments (and, for moments, of those being sealed). */
  readonly wal: string;
  /** Immutable `<id>.<robot>.mcap` + `.json`. */
  readonly sealed: string;
  /** `<name>.json` for each sealed file: the stores that hold it, verified. Written by sync. */
  readonly receipts: string;
  /** Manifests of segments evicted before upload, waiting to be written to the store. */
  readonly tombstones: string;
  /** Marked events, one file each; the folder is created with the first event. */
  readonly events: string;
  readonly quarantine: string;
  /** LevelDB of upload state; can be rebuilt from sealed/ and the store. */
  readonly sync: string;
  /**
   * State of further sinks, one folder each: as in `sync`, and the files made of segments before they are
   * sent.
   */
  readonly sinks: string;
  /**
   * Copies made on request, named by the time of the request. Retention deletes them first when space is
   * short.
   */
  readonly exports: string;
  /** Requests for segments that came over the uplink, and what sync says about them (`fetch-folder.ts`). */
  readonly requests: string;
  /** Data keys of the sealed segments that sync encrypts, one file each, until the segment is evicted. */
  readonly encryption: string;
  /** Files that `sync.transform` made of segments, until they are sent or their room is needed. A cache. */
  readonly transformed: string;
  readonly trash: string;
  readonly lock: string;
}

export function dataFolder(root: string): DataFolder {
  const at = (name: string): string => join(root, name);
  return {
    root,
    wal: at('wal'),
    sealed: at('sealed'),
    receipts: at('receipts'),
    tombstones: at('tombstones'),
    events: at('events'),
    quarantine: at('quarantine'),
    sync: at('sync'),
    sinks: at('sinks'),
    exports: at('exports'),
    requests: at('requests'),
    encryption: at('encryption'),
    transformed: at('transformed'),
    trash: at('trash'),
    lock: at('lock'),
  };
}
