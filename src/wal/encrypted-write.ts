import { join } from 'node:path';
import { HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Put } from './commit-extras.js';
import { KEY_FILE, SegmentCipher, WRAPPED_BYTES, type WalKeys } from './segment-cipher.js';
import { encryptedKey, entryKind, plainKey } from './segment-format.js';
import { encodeLevelWrite, parseLevelWrite, type LevelPut, type LevelWrite } from './write-batch.js';

/** Entries of every encrypted write: stamp, wrapped key, and everything else in one. */
const ENTRIES = 3;

/** Encrypts the writes of one new segment. */
export class WriteSealer {
  readonly cipher: SegmentCipher;
  readonly #stamp: Buffer;
  /** Of the last write, also if it failed: no number is used twice. */
  #number = 0n;

  constructor(cipher: SegmentCipher, stamp: Buffer) {
    this.cipher = cipher;
    this.#stamp = stamp;
  }

  /** The entries that stand for these in the log, without the stamp. */
  seal(puts: readonly Put[]): Put[] {
    const number = ++this.#number;
    const plaintext = encodeLevelWrite(number, puts);
    return [
      { type: 'put', key: plainKey('key'), value: this.cipher.wrapped },
      {
        type: 'put',
        key: encryptedKey(number),
        value: this.cipher.sealWrite(number, this.#stamp, plaintext),
      },
    ];
  }
}

/** Decrypts the writes of one segment; gives those of a plain segment as they are. */
export class WriteOpener {
  /** Known from the first write that was encrypted. */
  cipher: SegmentCipher | undefined;
  /** Plain writes are refused. */
  isEncrypted = false;

  readonly #keys: WalKeys;
  readonly #segment: string;

  /** @param segment - Its id, for errors. */
  constructor(keys: WalKeys, segment: string) {
    this.#keys = keys;
    this.#segment = segment;
  }

  /** The entries of a write. Throws `WAL_CORRUPT` or `CIPHERTEXT_CORRUPT`, and `IDENTITY_MISSING` if no key fits. */
  open({ sequence, puts }: LevelWrite): readonly LevelPut[] {
    const [stamp, key, sealed] = puts;
    if (!stamp || !key || entryKind(key.key) !== 'key') {
      if (this.isEncrypted) throw corrupt('a write that is not encrypted');
      return puts;
    }
    this.isEncrypted = true;
    if (
      !sealed ||
      puts.length !== ENTRIES ||
      entryKind(sealed.key) !== 'encrypted' ||
      sealed.key.length !== 9
    ) {
      throw corrupt(`an encrypted write of ${puts.length} entries, expected ${ENTRIES}`);
    }
    const number = sealed.key.readBigUInt64BE(1);
    // LevelDB's number of the write is not authenticated, but this one is.
    if (sequence !== (number - 1n) * BigInt(ENTRIES) + 1n) {
      throw corrupt(`encrypted write ${number} at the place of LevelDB write ${sequence}`);
    }
    const plaintext = this.#cipherOf(key.value).openWrite(number, stamp.value, sealed.value);
    if (!plaintext) throw corrupt(`encrypted write ${number} is not what was written`);
    return parseLevelWrite(plaintext).puts;
  }

  /** The cipher of a wrapped key from the file beside the log. Throws as {@link open}. */
  useKey(wrapped: Buffer): SegmentCipher {
    return this.#cipherOf(wrapped);
  }

  #cipherOf(wrapped: Buffer): SegmentCipher {
    if (this.cipher && !this.cipher.wrapped.equals(wrapped))
      throw corrupt('a write with the key of another segment');
    this.cipher ??= SegmentCipher.open(wrapped, this.#keys, this.#segment);
    return this.cipher;
  }
}

/** The wrapped key of a segment, from the file beside the log. Throws the error of the disk. */
export async function readKeyFile(fs: FileSystem, directory: string): Promise<Buffer> {
  const file = await fs.open(join(directory, KEY_FILE), 'r');
  try {
    // One more than it has, so that a longer file is not taken for whole.
    const bytes = Buffer.alloc(WRAPPED_BYTES + 1);
    let read = 0;
    for (let more = 1; more > 0 && read < bytes.length; read += more) {
      more = (await file.read(bytes, read, bytes.length - read, read)).bytesRead;
    }
    return bytes.subarray(0, read);
  } finally {
    await file.close();
  }
}

function corrupt(what: string): HoldfastError {
  return new HoldfastError('WAL_CORRUPT', what);
}
