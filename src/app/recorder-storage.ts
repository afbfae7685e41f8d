import type { DataFolder } from '../core/data-folder.js';
import type { Manifest } from '../core/manifest.js';
import type { SegmentId } from '../core/segment-id.js';
import type { RecorderOptions } from './parameters/recorder-options.js';
import type { SystemPorts } from './system/ports.js';

/** The recorder's view of its disk: what lies sealed, what is free, what must go. */
export class Storage {
  segments = 0;
  bytes = 0;
  freeBytes = 0;
  totalBytes = 0;
  evictedSegments = 0;

  private constructor(
    private readonly folder: DataFolder,
    private readonly ports: SystemPorts,
  ) {}

  static async open(folder: DataFolder, _options: RecorderOptions, ports: SystemPorts): Promise<Storage> {
    const storage = new Storage(folder, ports);
    await storage.tick(new Set());
    return storage;
  }

  sealed(manifests: readonly Manifest[]): void {
    this.segments += manifests.length;
    for (const { file } of manifests) this.bytes += file.bytes;
  }

  async tick(_unfinished: ReadonlySet<SegmentId>): Promise<void> {
    const disk = await this.ports.fs.statfs(this.folder.root);
    this.freeBytes = disk.bavail * disk.bsize;
    this.totalBytes = disk.blocks * disk.bsize;
  }

  onDiskFull(): void {}

  async close(): Promise<void> {}
}
