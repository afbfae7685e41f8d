import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { FileHandle } from '../core/file-system.js';
import type { ObjectDigest } from '../core/store.js';

const STAGING_BYTES = 256 * 1024;

/**
 * An append-only file that knows its own SHA-256 and CRC-32 when done, so that sealing reads nothing back.
 * Has the two methods `@mcap/core` writes through. Small writes are gathered; a written buffer may be reused
 * by the caller at once.
 */
export class DigestFile {
  private readonly sha256 = createHash('sha256');
  private crc = 0;
  private written = 0;
  private staged = 0;
  private readonly staging = Buffer.allocUnsafeSlow(STAGING_BYTES);

  constructor(private readonly handle: FileHandle) {}

  position(): bigint {
    return BigInt(this.written + this.staged);
  }

  async write(bytes: Uint8Array): Promise<void> {
    const isLarge = bytes.byteLength > STAGING_BYTES / 2;
    if (isLarge || this.staged + bytes.byteLength > STAGING_BYTES) await this.flush();
    if (isLarge) {
      await this.writeOut(bytes);
      return;
    }
    this.staging.set(bytes, this.staged);
    this.staged += bytes.byteLength;
  }

  /** Writes out what is staged, makes the file durable and gives its digest. */
  async finish(): Promise<ObjectDigest> {
    await this.flush();
    await this.handle.sync();
    return { bytes: this.written, sha256: this.sha256.digest('hex'), crc32: this.crc };
  }

  private async flush(): Promise<void> {
    if (this.staged === 0) return;
    const bytes = this.staging.subarray(0, this.staged);
    this.staged = 0;
    await this.writeOut(bytes);
  }

  private async writeOut(bytes: Uint8Array): Promise<void> {
    this.sha256.update(bytes);
    this.crc = crc32(bytes, this.crc);
    for (let at = 0; at < bytes.byteLength;) {
      const { bytesWritten } = await this.handle.write(bytes, at, bytes.byteLength - at);
      at += bytesWritten;
    }
    this.written += bytes.byteLength;
  }
}
