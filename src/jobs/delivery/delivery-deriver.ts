import { deliveryMarkerKey } from '../../core/delivery.js';
import type { Manifest } from '../../core/manifest.js';
import type {
  Derived,
  DerivedMarker,
  ListedObject,
  MarkerVerdict,
  SegmentDeriver,
} from '../../core/segment-deriver.js';

/**
 * Makes batches of one segment for a server that keeps no objects. The marker lists no files: it stays in the data
 * folder, and says that the server acknowledged all of them.
 */
export abstract class DeliveryDeriver implements SegmentDeriver {
  /** Names the content of the batches: another form is another sink. */
  abstract readonly form: string;

  markerKey(manifest: Manifest): string {
    return deliveryMarkerKey(sealedName(manifest));
  }

  judge(marker: Buffer, manifest: Manifest): MarkerVerdict {
    const text = marker.toString('utf8');
    if (text === this.marker(manifest).text) return 'complete';
    return text === this.tombstone(manifest).text ? 'evicted' : 'torn';
  }

  files(): readonly ListedObject[] {
    return [];
  }

  replacements(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  tombstone(manifest: Manifest): DerivedMarker {
    return this.#marker(manifest, 'evicted before it was delivered');
  }

  abstract derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived>;

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The marker of a segment whose batches were acknowledged. */
  protected marker(manifest: Manifest): DerivedMarker {
    return this.#marker(manifest, 'delivered');
  }

  #marker(manifest: Manifest, state: string): DerivedMarker {
    return { key: this.markerKey(manifest), text: `holdfast delivery 1\n${this.form}\n${state}\n` };
  }
}

/** Unique among all sealed files of all robots and classes: `<id>.<robot>[~class]`. */
export function sealedName({ file }: Manifest): string {
  return file.name.replace(/\.mcap$/, '');
}
