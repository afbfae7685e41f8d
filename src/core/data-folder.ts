import { join } from 'node:path';

/** The fixed places inside a data folder. */
export interface DataFolder {
  readonly root: string;
  /** LevelDB directories of open segments (and, for moments, of those being sealed). */
  readonly wal: string;
  /** Immutable `<id>.<robot>.mcap` + `.json`. */
  readonly sealed: string;
  /** `<name>.json` beside each sealed file: which stores hold it, verified. Written by sync. */
  readonly receipts: string;
  /** Manifests of segments evicted before upload, waiting to be told to the store. */
  readonly tombstones: string;
  /** Marked events, one file each; made with the first. */
  readonly events: string;
  readonly quarantine: string;
  /** LevelDB of upload state; can be rebuilt from sealed/ and the store. */
  readonly sync: string;
  /** State of further sinks, a folder each: like `sync`, and files made of segments before they are sent. */
  readonly sinks: string;
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
    trash: at('trash'),
    lock: at('lock'),
  };
}
