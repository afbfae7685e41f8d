import { join } from 'node:path';
import { formatTime, type Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { readFileIfPresent, syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { describeError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { GapJson } from '../core/gap.js';
import type { Logger } from '../core/logger.js';
import { decodeManifest, encodeManifest, type Manifest } from '../core/manifest.js';
import { receiptFileName, type SegmentReceipts } from '../core/receipt-file.js';
import { isHeld, readRequiredSinks, SINKS_FILE, type RequiredSink } from '../core/sink.js';

/**
 * A manifest's name once its segment is being evicted: `<sealed name>.evicted`. Renaming it is the decision;
 * whoever wins the rename evicts. From then on nobody sees a segment, and what is left to do repeats safely:
 *
 * 1. rename `.json` to `.evicted`, fsync `sealed/`   a crash before: nothing happened
 * 2. unlink `.mcap`                                  a crash from here on: done again at the next start
 * 3. not verified: durable `tombstones/<name>.json`  after 2, since on a full disk only 2 makes room for it
 * 4. fsync `sealed/`, unlink `.evicted`
 *
 * The marker holds the whole manifest, so the eviction is on record at every moment; and a manifest without
 * its MCAP, which would look like a loss, exists at none.
 */
const MARKER = '.evicted';

export interface EvictPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: DataFolder;
  /** Gone from this disk, and why. Must not throw. */
  readonly onEvicted?: ((evicted: readonly Evicted[], reason: string) => void) | undefined;
}

/** One segment that is gone from this disk. */
export interface Evicted {
  readonly name: string;
  readonly robot: string;
  readonly messages: number;
  readonly bytes: number;
  /** A store holds it; otherwise it is gone for good and a tombstone says so. */
  readonly verified: boolean;
}

export interface Choice {
  readonly name: string;
  /** Only with a valid receipt; otherwise left where it is. */
  readonly onlyVerified: boolean;
}

export interface EvictOutcome {
  /** Decided: no longer segments, whether finished or not. */
  readonly begun: readonly string[];
  readonly evicted: readonly Evicted[];
  /** Chosen as verified, but the receipt is missing or about other bytes. */
  readonly unconfirmed: readonly string[];
  /** Already gone, by somebody else's hand. */
  readonly vanished: readonly string[];
  /** The disk refused; tried again later. */
  readonly failed: ReadonlyMap<string, unknown>;
}

/** What must hold a segment; `unknown`: it cannot be read, so nothing is known to be held. */
type Required = readonly RequiredSink[] | undefined | 'unknown';

interface Doomed {
  readonly name: string;
  readonly manifest: Manifest;
  readonly verified: boolean;
}

/** Deletes sealed segments so that a crash anywhere leaves nothing unaccounted for. */
export class Evictor {
  constructor(private readonly ports: EvictPorts) {}

  /** Evicts each choice that can be. Never rejects for one of them. */
  async evict(choices: readonly Choice[], reason: string): Promise<EvictOutcome> {
    const { fs, folder } = this.ports;
    const required = await this.required();
    const doomed: Doomed[] = [];
    const unconfirmed: string[] = [];
    const vanished: string[] = [];
    const failed = new Map<string, unknown>();
    for (const { name, onlyVerified } of choices) {
      const path = join(folder.sealed, `${name}.json`);
      try {
        const manifest = await this.readManifest(path);
        const verified = manifest !== undefined && (await this.isVerified(name, manifest, required));
        if (!manifest) vanished.push(name);
        else if (onlyVerified && !verified) unconfirmed.push(name);
        else {
          await fs.rename(path, join(folder.sealed, name + MARKER));
          doomed.push({ name, manifest, verified });
        }
      } catch (error) {
        if (systemCode(error) === 'ENOENT') vanished.push(name);
        else failed.set(name, error);
      }
    }
    // Durable before the MCAP goes, or a power cut could keep the manifest and lose the MCAP.
    if (doomed.length > 0) await syncDirectory(fs, folder.sealed);
    const evicted = await this.finishAll(doomed, reason, failed);
    return { begun: doomed.map(({ name }) => name), evicted, unconfirmed, vanished, failed };
  }

  /** Finishes what an earlier process, or a full disk, left half done. Never rejects for one of them. */
  async finishInterrupted(reason: string): Promise<{ evicted: readonly Evicted[]; left: number }> {
    const { fs, folder, logger } = this.ports;
    const markers = (await fs.readdir(folder.sealed)).filter((file) => file.endsWith(MARKER));
    const required = markers.length > 0 ? await this.required() : undefined;
    const doomed: Doomed[] = [];
    const failed = new Map<string, unknown>();
    for (const marker of markers) {
      const name = marker.slice(0, -MARKER.length);
      try {
        const manifest = await this.readManifest(join(folder.sealed, marker));
        if (!manifest) continue;
        doomed.push({ name, manifest, verified: await this.isVerified(name, manifest, required) });
      } catch (error) {
        failed.set(name, error);
      }
    }
    const evicted = await this.finishAll(doomed, reason, failed);
    for (const [name, error] of failed) {
      logger.warn('a begun eviction cannot be finished', { segment: name, error: describeError(error) });
    }
    return { evicted, left: failed.size };
  }

  /** Every sink that must hold these very bytes provably does. */
  private async isVerified(name: string, manifest: Manifest, required: Required): Promise<boolean> {
    if (required === 'unknown') return false;
    const path = join(this.ports.folder.receipts, receiptFileName(`${name}.mcap`));
    const bytes = await readFileIfPresent(this.ports.fs, path);
    if (!bytes) return false;
    try {
      const receipts = JSON.parse(bytes.toString('utf8')) as SegmentReceipts;
      return isHeld(manifest, receipts, required);
    } catch {
      // Damaged is as good as none: sync writes it anew.
      return false;
    }
  }

  private async required(): Promise<Required> {
    const { fs, folder, logger } = this.ports;
    try {
      return await readRequiredSinks(fs, join(folder.root, SINKS_FILE));
    } catch (error) {
      logger.warn('the required sinks cannot be read, no segment counts as verified until sync ran', {
        error: describeError(error),
      });
      return 'unknown';
    }
  }

  private async readManifest(path: string): Promise<Manifest | undefined> {
    const bytes = await readFileIfPresent(this.ports.fs, path);
    return bytes && decodeManifest(bytes.toString('utf8'), path);
  }

  private async finishAll(
    doomed: readonly Doomed[],
    reason: string,
    failed: Map<string, unknown>,
  ): Promise<Evicted[]> {
    const { fs, folder } = this.ports;
    const recorded: Doomed[] = [];
    // All files first: every tombstone then finds room.
    for (const { name } of doomed) {
      try {
        await fs.rm(join(folder.sealed, `${name}.mcap`), { force: true });
      } catch (error) {
        failed.set(name, error);
      }
    }
    for (const one of doomed) {
      if (failed.has(one.name)) continue;
      try {
        if (!one.verified) await this.writeTombstone(one, reason);
        recorded.push(one);
      } catch (error) {
        failed.set(one.name, error);
      }
    }
    if (recorded.length === 0) return [];
    await syncDirectory(fs, folder.sealed);
    for (const { name } of recorded) await fs.rm(join(folder.sealed, name + MARKER), { force: true });
    return recorded.map(({ name, manifest, verified }) => ({
      name,
      robot: manifest.robot,
      messages: manifest.messages,
      bytes: manifest.file.bytes,
      verified,
    }));
  }

  private async writeTombstone({ name, manifest }: Doomed, reason: string): Promise<void> {
    const { fs, clock, folder } = this.ports;
    const now = clock.now();
    const tombstone: Manifest = {
      ...manifest,
      gaps: [...manifest.gaps, evictionGap(name, manifest, reason)],
      evicted: { at: String(now), reason },
    };
    await writeFileDurably(fs, join(folder.tombstones, `${name}.json`), encodeManifest(tombstone));
    this.ports.logger.warn('a segment was evicted before it was uploaded', {
      segment: name,
      robot: manifest.robot,
      messages: manifest.messages,
      bytes: manifest.file.bytes,
      at: formatTime(now),
      reason,
    });
  }
}

/** Its id follows from the segment, so that an eviction done twice counts once. */
function evictionGap(name: string, manifest: Manifest, reason: string): GapJson {
  return {
    id: `evicted-${name}`,
    reason: 'evicted',
    robot: manifest.robot,
    count: manifest.messages,
    bytes: manifest.payloadBytes,
    ...(manifest.firstLogTime === undefined
      ? {}
      : { firstTime: manifest.firstLogTime, lastTime: manifest.lastLogTime ?? manifest.firstLogTime }),
    detail: `evicted before it was uploaded: ${reason}`,
  };
}
