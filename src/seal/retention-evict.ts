import { join } from 'node:path';
import { formatTime, type Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import {
  readFileIfPresent,
  readStateIfReadable,
  syncDirectory,
  writeFileDurably,
} from '../core/durable-files.js';
import { describeError, systemCode } from '../core/errors.js';
import { decideEviction, type EvictionDecision, type OpenRequest } from '../core/eviction.js';
import type { FileSystem } from '../core/file-system.js';
import type { GapJson } from '../core/gap.js';
import type { Logger } from '../core/logger.js';
import { decodeManifest, encodeManifest, ENCRYPTED_END, type Manifest } from '../core/manifest.js';
import { readKnownStores } from '../core/known-stores.js';
import { receiptFileName, receiptFiles, type SegmentReceipts } from '../core/receipt-file.js';
import { removeSegmentCopies } from '../core/segment-copies.js';
import { readRequiredSinks, SINKS_FILE, type RequiredSink } from '../core/sink.js';

/**
 * The name of a manifest once its segment is being evicted: `<sealed name>.evicted`. The rename is the
 * decision; the process that wins the rename evicts. From then on no reader sees the segment, and the
 * remaining steps can be repeated:
 *
 * 1. Rename `.json` to `.evicted`, fsync `sealed/`. A crash before it: nothing happened. A crash after it: the
 *    next start decides again whether the eviction is confirmed, and continues with step 2.
 * 2. Unlink `.mcap`, or `.mcap.enc`. A crash from here on: the next start does it again.
 * 3. If the eviction is not confirmed, write `tombstones/<name>.json` durably. It comes after step 2, because
 *    on a full disk only step 2 makes room for it.
 * 4. Fsync `sealed/`, unlink `.evicted`.
 *
 * The marker holds the whole manifest, so the eviction is recorded at every moment. A manifest without its
 * MCAP, which would look like a loss, never exists.
 */
const MARKER = '.evicted';

export interface EvictPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: DataFolder;
  /** Reports that a segment was removed from this disk, and why. Must not throw. */
  readonly onEvicted?: ((evicted: readonly Evicted[], reason: string) => void) | undefined;
}

/** One segment that was removed from this disk. */
export interface Evicted {
  readonly name: string;
  readonly robot: string;
  readonly messages: number;
  readonly bytes: number;
  /** Every required store confirmed that it holds it; otherwise a tombstone records the eviction. */
  readonly confirmed: boolean;
}

export interface Choice {
  readonly name: string;
  /** The policy evicts it even if no store holds it. */
  readonly mayDrop: boolean;
}

export interface EvictOutcome {
  /** Evicted, or being evicted: the names are no longer segments. */
  readonly begun: readonly string[];
  readonly evicted: readonly Evicted[];
  /** Decide again after sync has asked the stores. */
  readonly toAsk: readonly string[];
  /** Kept. True: a store may hold it and could not be asked. False: no store is known to hold it. */
  readonly unconfirmed: ReadonlyMap<string, boolean>;
  /** Already removed by another process or a user. */
  readonly vanished: readonly string[];
  /** The disk refused; tried again later. */
  readonly failed: ReadonlyMap<string, unknown>;
}

/** How the stores' answers are judged now. */
export interface Evidence {
  readonly maxAgeNs: bigint;
  readonly requestOf: (name: string) => OpenRequest | undefined;
  /** An answer to this request is recorded. */
  readonly onAnswer: (name: string, nonce: string) => void;
}

interface Stores {
  readonly required: readonly RequiredSink[] | undefined | 'unknown';
  readonly knownStores: ReadonlyMap<string, string>;
}

interface Doomed {
  readonly name: string;
  readonly manifest: Manifest;
  readonly confirmed: boolean;
  /** Why no store counts as holding it. */
  readonly doubt?: string;
}

/** For decisions before a crash: the answers they were based on still count. */
const WHATEVER_AGE: Evidence = {
  maxAgeNs: 1n << 63n,
  requestOf: () => ({ nonce: '', isWaiting: false }),
  onAnswer: () => undefined,
};

/** Deletes sealed segments so that a crash at any point leaves everything accounted for. */
export class Evictor {
  readonly #ports: EvictPorts;

  constructor(ports: EvictPorts) {
    this.#ports = ports;
  }

  /** Evicts each choice that can be evicted. Never rejects for one of them. */
  async evict(choices: readonly Choice[], reason: string, evidence: Evidence): Promise<EvictOutcome> {
    const { fs, folder } = this.#ports;
    const stores = await this.#stores();
    const doomed: Doomed[] = [];
    const toAsk: string[] = [];
    const unconfirmed = new Map<string, boolean>();
    const vanished: string[] = [];
    const failed = new Map<string, unknown>();
    for (const { name, mayDrop } of choices) {
      const path = join(folder.sealed, `${name}.json`);
      try {
        const manifest = await this.#readManifest(path);
        if (!manifest) {
          vanished.push(name);
          continue;
        }
        const decision = await this.#decide(name, manifest, stores, evidence, mayDrop);
        if (decision.kind === 'ask') toAsk.push(name);
        else if (decision.kind === 'keep') unconfirmed.set(name, decision.mayBeHeld);
        else {
          await fs.rename(path, join(folder.sealed, name + MARKER));
          const doubt = decision.kind === 'drop' ? { doubt: decision.doubt } : {};
          doomed.push({ name, manifest, confirmed: decision.kind === 'evict', ...doubt });
        }
      } catch (error) {
        if (systemCode(error) === 'ENOENT') vanished.push(name);
        else failed.set(name, error);
      }
    }
    // Durable before the MCAP is removed, or a power cut could keep the manifest and lose the MCAP.
    if (doomed.length > 0) await syncDirectory(fs, folder.sealed);
    const evicted = await this.#finishAll(doomed, reason, failed);
    return { begun: doomed.map(({ name }) => name), evicted, toAsk, unconfirmed, vanished, failed };
  }

  /**
   * Finishes evictions that an earlier process, or a full disk, left incomplete. Never rejects for one of
   * them.
   */
  async finishInterrupted(reason: string): Promise<{ evicted: readonly Evicted[]; left: number }> {
    const { fs, folder, logger } = this.#ports;
    const markers = (await fs.readdir(folder.sealed)).filter((file) => file.endsWith(MARKER));
    const stores = await this.#stores();
    const doomed: Doomed[] = [];
    const failed = new Map<string, unknown>();
    for (const marker of markers) {
      const name = marker.slice(0, -MARKER.length);
      try {
        const manifest = await this.#readManifest(join(folder.sealed, marker));
        if (!manifest) continue;
        const decision = await this.#decide(name, manifest, stores, WHATEVER_AGE, true);
        const confirmed = decision.kind === 'evict' && manifest.deleted === undefined;
        doomed.push({ name, manifest, confirmed });
      } catch (error) {
        failed.set(name, error);
      }
    }
    const evicted = await this.#finishAll(doomed, reason, failed);
    for (const [name, error] of failed) {
      logger.warn('cannot finish an eviction', { segment: name, error: describeError(error) });
    }
    return { evicted, left: failed.size };
  }

  /** Reads all inputs of the decision at the moment of the decision. */
  async #decide(
    name: string,
    manifest: Manifest,
    stores: Stores,
    { maxAgeNs, requestOf, onAnswer }: Evidence,
    mayDrop: boolean,
  ): Promise<EvictionDecision> {
    const receipts = await this.#readReceipts(name);
    for (const { asked } of receipts?.stores ?? []) {
      if (asked?.request !== undefined) onAnswer(name, asked.request);
    }
    const now = this.#ports.clock.now();
    const request = requestOf(name);
    return decideEviction({ manifest, receipts, ...stores, now, maxAgeNs, request, mayDrop });
  }

  async #readReceipts(name: string): Promise<SegmentReceipts | undefined> {
    const path = join(this.#ports.folder.receipts, receiptFileName(`${name}.mcap`));
    const bytes = await readStateIfReadable(this.#ports.fs, path);
    // A damaged receipt counts as missing: sync writes it again.
    return receiptFiles.parseIfValid(bytes?.toString('utf8'));
  }

  async #stores(): Promise<Stores> {
    const { fs, folder } = this.#ports;
    const known = await readKnownStores(fs, folder);
    const knownStores = new Map(known.map(({ uri, storeId }) => [uri, storeId]));
    return { required: await this.#required(), knownStores };
  }

  async #required(): Promise<Stores['required']> {
    const { fs, folder, logger } = this.#ports;
    try {
      return await readRequiredSinks(fs, join(folder.root, SINKS_FILE));
    } catch (error) {
      logger.warn(
        'cannot read the list of required sinks; no segment counts as verified until sync has run',
        {
          error: describeError(error),
        },
      );
      return 'unknown';
    }
  }

  async #readManifest(path: string): Promise<Manifest | undefined> {
    const bytes = await readFileIfPresent(this.#ports.fs, path);
    return bytes && decodeManifest(bytes.toString('utf8'), path);
  }

  async #finishAll(
    doomed: readonly Doomed[],
    reason: string,
    failed: Map<string, unknown>,
  ): Promise<Evicted[]> {
    const { fs, folder } = this.#ports;
    const recorded: Doomed[] = [];
    // All files first: then every tombstone finds room.
    for (const { name, manifest } of doomed) {
      try {
        const end = manifest.encryption ? ENCRYPTED_END : '.mcap';
        await fs.rm(join(folder.sealed, name + end), { force: true });
        // A deletion writes the marker beside the manifest.
        if (manifest.deleted) await fs.rm(join(folder.sealed, `${name}.json`), { force: true });
      } catch (error) {
        failed.set(name, error);
      }
    }
    for (const one of doomed) {
      if (failed.has(one.name)) continue;
      try {
        if (!one.confirmed) await this.#writeTombstone(one, reason);
        recorded.push(one);
      } catch (error) {
        failed.set(one.name, error);
      }
    }
    if (recorded.length === 0) return [];
    await syncDirectory(fs, folder.sealed);
    for (const { name, manifest } of recorded) {
      // While the marker is there, the next start tries again.
      if (manifest.deleted && !(await this.#removeCopies(name))) continue;
      await fs.rm(join(folder.sealed, name + MARKER), { force: true });
      // Without it, only the recipients can read what sync has sent. If this fails, sync removes it at its start.
      await fs.rm(join(folder.encryption, `${name}.json`), { force: true }).catch(() => undefined);
    }
    return recorded.map(({ name, manifest, confirmed }) => ({
      name,
      robot: manifest.robot,
      messages: manifest.messages,
      bytes: manifest.file.bytes,
      confirmed,
    }));
  }

  /** What sync made of a segment goes with it if that was deleted on request. Otherwise sync removes it later. */
  async #removeCopies(name: string): Promise<boolean> {
    const { fs, folder, logger } = this.#ports;
    try {
      await removeSegmentCopies(fs, folder, name);
      return true;
    } catch (error) {
      logger.warn('cannot finish a deletion', { segment: name, error: describeError(error) });
      return false;
    }
  }

  async #writeTombstone({ name, manifest, doubt }: Doomed, reason: string): Promise<void> {
    const { fs, clock, folder } = this.#ports;
    const path = join(folder.tombstones, `${name}.json`);
    // The marker of a deletion is its tombstone.
    if (manifest.deleted) return writeFileDurably(fs, path, encodeManifest(manifest));
    const now = clock.now();
    const tombstone: Manifest = {
      ...manifest,
      gaps: [...manifest.gaps, evictionGap(name, manifest, reason)],
      evicted: { at: String(now), reason },
    };
    await writeFileDurably(fs, path, encodeManifest(tombstone));
    this.#ports.logger.warn('evicted a segment that no store is known to have', {
      segment: name,
      robot: manifest.robot,
      messages: manifest.messages,
      bytes: manifest.file.bytes,
      at: formatTime(now),
      reason,
      doubt,
    });
  }
}

/** The id follows from the segment, so that an eviction done twice counts once. */
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
    detail: `evicted while no store was known to hold it: ${reason}`,
  };
}
