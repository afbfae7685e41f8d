import { readFileIfPresent } from '../../core/durable-files.js';
import type { FileSystem } from '../../core/file-system.js';
import { keepingRoom } from '../../core/space-limits.js';
import type { SystemPorts } from '../../host/ports.js';
import type { SegmentTransformer } from '../../jobs/transform/segment-transformer.js';
import type { ConfigFault } from '../../settings/fault.js';
import type { Resolved } from '../../settings/resolve.js';
import type { SinkOptions } from '../../settings/sink-spec.js';
import type { SinkSpec } from '../../sync/sync-sink.js';

const HASH_KEY_MIN_BYTES = 16;
const HASH_KEY_MAX_BYTES = 4096;

type Deriver = NonNullable<SinkSpec['deriver']> & { readonly form: string };

/** `sync.transform` for the sinks of a process. */
export class Transforms implements AsyncDisposable {
  readonly #fs: FileSystem;
  readonly #keepsOriginals: boolean;
  readonly #transformer: SegmentTransformer;

  private constructor(fs: FileSystem, keepsOriginals: boolean, transformer: SegmentTransformer) {
    this.#fs = fs;
    this.#keepsOriginals = keepsOriginals;
    this.#transformer = transformer;
  }

  /** Undefined: there are no rules. Adds what is wrong to `faults`. */
  static async open(
    resolved: Resolved,
    { fs, logger }: SystemPorts,
    faults: ConfigFault[],
  ): Promise<Transforms | undefined> {
    const { values } = resolved;
    if (values['sync.transform'].length === 0) return undefined;
    refuseEncrypted(resolved, faults);
    const hashKey = await readHashKey(resolved, fs, faults);
    const { SegmentTransformer } = await import('../../jobs/transform/segment-transformer.js');
    const { TransformCache } = await import('../../jobs/transform/transform-cache.js');
    const settings = { rules: values['sync.transform'].map(({ text }) => text), hashKey };
    const room = keepingRoom(fs);
    const cache = new TransformCache(room, logger, settings, values['sync.transform_cache']);
    const transformer = new SegmentTransformer(settings, cache);
    return new Transforms(room, values['sync.original'] === 'keep', transformer);
  }

  /** What a sink sends instead of what `inner` makes of sealed files; undefined: it would send them as they are. */
  async apply(
    inner: Deriver | undefined,
  ): Promise<Pick<SinkSpec, 'form' | 'deriver' | 'isTransformed' | 'partial'>> {
    const { TransformDeriver, TransformedDeriver } =
      await import('../../jobs/transform/transform-deriver.js');
    const deriver = inner
      ? new TransformedDeriver(this.#fs, this.#transformer, inner)
      : new TransformDeriver(this.#transformer);
    const partial = this.#keepsOriginals ? { partial: true as const } : {};
    return { form: deriver.form, deriver, isTransformed: true, ...partial };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transformer[Symbol.asyncDispose]();
  }
}

/** A sink that must not send readable files cannot send changed ones: these are not encrypted. */
export function refuseReadableTransforms(
  sinks: readonly SinkOptions[],
  { values, origin }: Resolved,
  faults: ConfigFault[],
): void {
  if (values['sync.transform'].length === 0 || values['sync.recipients'].length === 0) return;
  const names = sinks.filter(({ transform, encrypt }) => transform && encrypt).map(({ name }) => name);
  if (values['store.uri'] !== '') names.unshift('store.uri');
  for (const name of names) {
    const allowed =
      'sinks with transform=no or encrypt=no together with sync.recipients: changed segments are not encrypted';
    faults.push({ where: origin['sync.transform'], path: 'sync.transform', value: name, allowed });
  }
}

/** This machine cannot read what it has sealed for recipients. */
function refuseEncrypted({ values, origin }: Resolved, faults: ConfigFault[]): void {
  if (values['encryption.recipients'].length === 0) return;
  const allowed = 'no rules together with encryption.recipients: this machine cannot read what it has sealed';
  const path = 'sync.transform';
  faults.push({ where: origin[path], path, value: `${values[path].length} rules`, allowed });
}

async function readHashKey(
  { values, origin }: Resolved,
  fs: FileSystem,
  faults: ConfigFault[],
): Promise<Uint8Array> {
  const path = 'sync.hash_key';
  const isNeeded = values['sync.transform'].some(({ changes }) =>
    changes.some(({ kind }) => kind === 'hash'),
  );
  const file = values[path];
  if (file === '' && !isNeeded) return new Uint8Array(0);
  const fault = (allowed: string): Uint8Array => {
    faults.push({ where: origin[path], path, value: file === '' ? undefined : file, allowed });
    return new Uint8Array(0);
  };
  if (file === '') return fault('a file with a secret key, because a rule of sync.transform hashes texts');
  const key = await readFileIfPresent(fs, file).catch(() => undefined);
  if (!key) return fault('a file that can be read');
  const isLong = key.length >= HASH_KEY_MIN_BYTES && key.length <= HASH_KEY_MAX_BYTES;
  return isLong ? key : fault(`a file of ${HASH_KEY_MIN_BYTES} to ${HASH_KEY_MAX_BYTES} bytes`);
}
