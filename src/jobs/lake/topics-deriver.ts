import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { encodeManifest, type Manifest } from '../../core/manifest.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import { matches } from '../../core/name-pattern.js';
import type { Derived } from '../../core/segment-deriver.js';
import { DigestFile } from '../../seal/digest-file.js';
import { FilePool } from '../../recordings/file-readable.js';
import { withChannels } from '../../recordings/manifest-part.js';
import { mergeRuns } from '../../recordings/merged-messages.js';
import { SegmentCopy } from '../../recordings/segment-copy.js';
import { SegmentFileDeriver } from '../../recordings/segment-file-deriver.js';

/**
 * A sealed file with some topics only: a complete segment under the key and id of the original, which every
 * reader of recordings understands.
 */
export class TopicsDeriver extends SegmentFileDeriver {
  readonly form: string;

  readonly #fs: FileSystem;
  readonly #topics: readonly string[];

  constructor(fs: FileSystem, topics: readonly string[]) {
    super();
    this.#fs = fs;
    this.#topics = topics;
    const digest = createHash('sha256')
      .update(JSON.stringify([1, topics]))
      .digest('hex');
    this.form = `mcap-${digest.slice(0, 12)}`;
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    await using files = new FilePool(this.#fs);
    const readable = files.readable(path);
    const reader = await openMcap(readable, path);
    const target = join(scratch, manifest.file.name);
    await using handle = await this.#fs.open(target, 'w');
    const out = await SegmentCopy.begin(new DigestFile(handle), reader);
    const runs = mergeRuns([{ name: path, bytes: manifest.file.bytes, readable: () => readable }], {
      filter: { topics: this.#topics },
      onProblem: ({ reason }) => {
        throw new HoldfastError('SEGMENT_CORRUPT', `${path}: ${reason}`, { facts: { name: path } });
      },
      signal,
    });
    for await (const { messages } of runs) for (const message of messages) await out.add(message);
    const digest = await out.finish();
    const kept = withChannels(
      manifest,
      manifest.channels.filter(({ topic }) => matches(this.#topics, topic)),
    );
    const text = encodeManifest({ ...kept, file: { ...manifest.file, ...digest, compression: 'zstd' } });
    return {
      files: [{ key: manifest.key, path: target, ...digest }],
      marker: { key: this.markerKey(manifest), text },
    };
  }
}
