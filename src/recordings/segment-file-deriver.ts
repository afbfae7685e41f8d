import { defined } from '../core/defined.js';
import { isHoldfastError } from '../core/errors.js';
import { decodeManifest, encodeManifest, manifestKey, type Manifest } from '../core/manifest.js';
import type {
  Derived,
  DerivedMarker,
  ListedObject,
  MarkerVerdict,
  SegmentDeriver,
} from '../core/segment-deriver.js';

/** Makes one file of a segment: a segment as well, under the key and id of the original, with a manifest as its marker. */
export abstract class SegmentFileDeriver implements SegmentDeriver {
  markerKey(manifest: Manifest): string {
    return manifestKey(manifest.key);
  }

  judge(marker: Buffer, manifest: Manifest): MarkerVerdict {
    let found: Manifest;
    try {
      found = decodeManifest(marker.toString('utf8'), this.markerKey(manifest));
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      return 'torn';
    }
    if (found.segment.id !== manifest.segment.id || found.robot !== manifest.robot) return 'other';
    if (found.deleted) return 'deleted';
    return found.evicted ? 'evicted' : 'complete';
  }

  files(marker: Buffer): readonly ListedObject[] {
    const { key, file } = decodeManifest(marker.toString('utf8'), 'the manifest of a file made of a segment');
    return [{ key, bytes: file.bytes, crc32: file.crc32, ...defined({ sha256: file.sha256 }) }];
  }

  /** Sealed files are never put together. */
  replacements(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  tombstone(manifest: Manifest): DerivedMarker {
    return { key: this.markerKey(manifest), text: encodeManifest(manifest) };
  }

  abstract derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived>;

  async [Symbol.asyncDispose](): Promise<void> {}
}
