import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from '@node-rs/crc32';
import { makeDirectoryDurably, readStateIfReadable, writePrivateFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';
import { encodeManifest, encryptedKey, ENCRYPTED_VERSION, type DigestedManifest } from '../core/manifest.js';
import type { SerialQueue } from '../core/serial-queue.js';
import { EncryptedContent, factsOf, newContentKey } from '../encryption/encrypted-content.js';
import { recipientName, recipientsName, type Recipient } from '../encryption/wrapped-key.js';
import { contentRecords, encodeRecord, type ContentRecord } from './content-record.js';
import { BlockReader, blockDigest, digestOf, EncryptedSource } from './encrypted-source.js';
import { SegmentFile } from './segment-file.js';
import type { SegmentSource } from './segment-source.js';

/** Encrypts for these; not empty. */
export interface EncryptionPorts {
  readonly fs: FileSystem;
  readonly random: RandomBytes;
  /** `encryption/` of the data folder, and its `sealed/`. */
  readonly folder: { readonly encryption: string; readonly sealed: string };
  readonly recipients: readonly Recipient[];
  /** Shared by all engines of the data folder: two of them make one record of a segment. */
  readonly turns: SerialQueue;
}

/** One segment as a store gets it. */
export interface EncryptedSegment {
  readonly manifest: DigestedManifest;
  readonly manifestBytes: Buffer;
  open(): Promise<SegmentSource>;
}

const READ_BYTES = 1024 * 1024;

/** Encrypts sealed segments, each with a data key of its own that is remembered until the segment is evicted. */
export class SegmentEncryption {
  readonly #ports: EncryptionPorts;
  readonly #recipients: string;

  constructor(ports: EncryptionPorts) {
    this.#ports = ports;
    this.#recipients = recipientsName(ports.recipients);
  }

  /** Names of the recipients. */
  get encryptedFor(): string[] {
    return this.#ports.recipients.map(recipientName);
  }

  /**
   * The segment as it is published. The first call reads the file once; later ones, also of other processes, give the
   * same bytes. If the recipients have changed since, the wrapped keys are made again, and the bytes of the object stay.
   * Throws `SEGMENT_CORRUPT` and `SegmentVanished`.
   */
  async encrypt(name: string, plain: DigestedManifest, signal: AbortSignal): Promise<EncryptedSegment> {
    const { fs, folder, turns } = this.#ports;
    const record = await turns.run(() => this.#record(name, plain, signal));
    const { bytes, sha256, crc32: crc } = record.sealed;
    const { name: fileName, compression } = plain.file;
    const manifest: DigestedManifest = {
      ...plain,
      version: ENCRYPTED_VERSION,
      key: encryptedKey(plain.key),
      file: { name: fileName, bytes, sha256, crc32: crc, compression },
      encryption: record.encryption,
    };
    const open = async (): Promise<SegmentSource> =>
      new EncryptedSource(await SegmentFile.open(fs, folder.sealed, plain.file), record, fileName);
    return { manifest, manifestBytes: Buffer.from(encodeManifest(manifest)), open };
  }

  /** Removes the keys of segments that are no longer here. */
  async sweep(): Promise<void> {
    const { fs, folder } = this.#ports;
    const names = async (path: string): Promise<string[]> => fs.readdir(path).catch(() => [] as string[]);
    const records = await names(folder.encryption);
    if (records.length === 0) return;
    const sealed = new Set(await names(folder.sealed));
    for (const record of records) {
      if (sealed.has(record.replace(/\.json(\.tmp)?$/, '.mcap'))) continue;
      await fs.rm(join(folder.encryption, record), { force: true }).catch(() => undefined);
    }
  }

  /** Removes the key of a segment that was evicted: then only the recipients can read it. */
  async forget(name: string): Promise<void> {
    const { fs, turns } = this.#ports;
    await turns.run(() => fs.rm(this.#path(name), { force: true })).catch(() => undefined);
  }

  async #record(name: string, plain: DigestedManifest, signal: AbortSignal): Promise<ContentRecord> {
    const { random, recipients } = this.#ports;
    const known = await this.#read(name);
    const isSame = known?.plain.sha256 === plain.file.sha256 && known.plain.bytes === plain.file.bytes;
    if (isSame && known.recipients === this.#recipients) return known;
    const record = isSame ? known : await this.#make(plain, signal);
    const dataKey = Buffer.from(record.dataKey, 'base64');
    const encryption = factsOf({ dataKey }, record.plain.bytes, recipients, random);
    const current = { ...record, recipients: this.#recipients, encryption };
    // Durable before the first byte leaves: without the record, the parts in the store would be of no use.
    await this.#write(name, current);
    return current;
  }

  async #make(
    plain: DigestedManifest,
    signal: AbortSignal,
  ): Promise<Omit<ContentRecord, 'recipients' | 'encryption'>> {
    const { fs, folder, random } = this.#ports;
    const { bytes, sha256, crc32: plainCrc } = plain.file;
    const key = newContentKey(random);
    await using file = await SegmentFile.open(fs, folder.sealed, plain.file);
    const digests: Buffer[] = [];
    const blocks = new BlockReader(file, bytes, (block) => digests.push(blockDigest(block)));
    const content = new EncryptedContent(key, digestOf({ bytes, sha256, crc32: plainCrc }), (target) =>
      blocks.read(target),
    );
    const hash = createHash('sha256');
    let crc = 0;
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let left = content.bytes; left > 0; left -= READ_BYTES) {
      signal.throwIfAborted();
      const piece = buffer.subarray(0, Math.min(left, READ_BYTES));
      await content.read(piece);
      hash.update(piece);
      crc = crc32(piece, crc);
    }
    file.finish();
    return {
      version: 1,
      dataKey: Buffer.from(key.dataKey).toString('base64'),
      salt: Buffer.from(key.salt).toString('base64'),
      plain: { bytes, sha256, crc32: plainCrc },
      sealed: { bytes: content.bytes, sha256: hash.digest('hex'), crc32: crc },
      blocks: Buffer.concat(digests).toString('base64'),
    };
  }

  async #read(name: string): Promise<ContentRecord | undefined> {
    const bytes = await readStateIfReadable(this.#ports.fs, this.#path(name));
    return contentRecords.parseIfValid(bytes?.toString('utf8'));
  }

  async #write(name: string, record: ContentRecord): Promise<void> {
    const { fs, folder } = this.#ports;
    await makeDirectoryDurably(fs, folder.encryption);
    await writePrivateFileDurably(fs, this.#path(name), encodeRecord(record));
  }

  #path(name: string): string {
    return join(this.#ports.folder.encryption, `${name}.json`);
  }
}
