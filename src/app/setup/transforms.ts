import { readFileIfPresent } from '../../core/durable-files.js';
import type { FileSystem } from '../../core/file-system.js';
import { keepingRoom } from '../../core/space-limits.js';
import { HoldfastError } from '../../core/errors.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { Recipient } from '../../encryption/wrapped-key.js';
import type { SystemPorts } from '../../host/ports.js';
import { ffmpegLacks } from '../../host/ffmpeg.js';
import type { ModelDigests } from '../../jobs/transform/infer-steps.js';
import type { SegmentTransformer } from '../../jobs/transform/segment-transformer.js';
import type { TransformCache, TransformSettings } from '../../jobs/transform/transform-cache.js';
import type { ConfigFault } from '../../settings/fault.js';
import type { Resolved } from '../../settings/resolve.js';
import type { SinkSpec } from '../../sync/sync-sink.js';
import { modelDigests } from './transform-models.js';

const HASH_KEY_MIN_BYTES = 16;
const HASH_KEY_MAX_BYTES = 4096;

type Deriver = NonNullable<SinkSpec['deriver']> & { readonly form: string };

/** Keeps files that were made by these rules. */
type CacheFor = (settings: TransformSettings) => TransformCache;

interface TransformsParts {
  readonly fs: FileSystem;
  readonly keepsOriginals: boolean;
  /** The rules of the configuration. */
  readonly rules: readonly TransformRule[];
  readonly hashKey: Uint8Array;
  /** Of the models of the configuration. */
  readonly models: ModelDigests;
  /** A cache for what these settings make. */
  readonly cacheFor: CacheFor;
  readonly create: (settings: TransformSettings) => SegmentTransformer;
  /** For sinks that send readable copies, and for those that send encrypted ones. */
  readonly transformers: Map<'plain' | 'encrypted', Transformer>;
}

interface Transformer {
  readonly work: SegmentTransformer;
  readonly recipients: readonly Recipient[];
}

/** `sync.transform` for the sinks of a process. */
export class Transforms implements AsyncDisposable {
  readonly #parts: TransformsParts;
  /** As they were given. */
  #rules: readonly string[];

  private constructor(parts: TransformsParts) {
    this.#parts = parts;
    this.#rules = parts.rules.map(({ text }) => text);
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
    await refuseVideos(resolved, faults);
    const models = await modelDigests(resolved, fs, faults);
    const hashKey = await readHashKey(resolved, fs, faults);
    const { SegmentTransformer } = await import('../../jobs/transform/segment-transformer.js');
    const { TransformCache } = await import('../../jobs/transform/transform-cache.js');
    const { MarkKeeper } = await import('../../jobs/transform/mark-keeper.js');
    const rules = values['sync.transform'];
    const room = keepingRoom(fs);
    const cacheFor: CacheFor = (one) => new TransformCache(room, logger, one, values['sync.transform_cache']);
    const create = (settings: TransformSettings): SegmentTransformer =>
      new SegmentTransformer(settings, cacheFor(settings), new MarkKeeper(room, logger));
    const keepsOriginals = values['sync.original'] === 'keep';
    const transformers = new Map<'plain' | 'encrypted', Transformer>();
    const made = { rules, hashKey, models, cacheFor, create, transformers };
    return new Transforms({ fs: room, keepsOriginals, ...made });
  }

  /**
   * Changes the rules while sync runs; segments that have begun keep theirs. Throws `STATE_REFUSED` with the reason.
   * A program and a model must be of the configuration: a user who may set parameters may not start any program.
   */
  change(rules: readonly TransformRule[]): void {
    const { hashKey, models, cacheFor, transformers } = this.#parts;
    if (rules.length === 0) {
      throw refused('no rules', 'at least one rule while sync runs; without any, originals would leave');
    }
    const programs = this.#parts.rules.map(programOf);
    const hasVideos = this.#parts.rules.some(({ image }) => image?.kind === 'h264');
    for (const rule of rules) {
      if (rule.process && !programs.includes(programOf(rule))) {
        throw refused(`"${rule.text}"`, 'programs with the arguments and limits of the configuration');
      }
      if (rule.infer && !Object.hasOwn(models, rule.infer.model)) {
        throw refused(`"${rule.text}"`, 'models of the configuration');
      }
      if (rule.image?.kind === 'h264' && !hasVideos) {
        throw refused(`"${rule.text}"`, 'rules without h264, because sync began without any');
      }
      if (hashKey.length === 0 && rule.changes.some(({ kind }) => kind === 'hash')) {
        throw refused(`"${rule.text}"`, 'rules without hash, because sync began without sync.hash_key');
      }
    }
    this.#rules = rules.map(({ text }) => text);
    for (const { work, recipients } of transformers.values()) {
      const settings = { rules: this.#rules, hashKey, models, recipients };
      work.use(settings, cacheFor(settings));
    }
  }

  /** What a sink sends instead of what `inner` makes of sealed files; undefined: it would send them as they are. */
  async sending(
    inner: Deriver | undefined,
    recipients: readonly Recipient[],
  ): Promise<Pick<SinkSpec, 'form' | 'deriver' | 'transform' | 'partial'>> {
    const { TransformDeriver, TransformedDeriver } =
      await import('../../jobs/transform/transform-deriver.js');
    // What another deriver makes is not encrypted, and a sink that must not send readable files has none.
    const deriver = inner
      ? new TransformedDeriver(this.#parts.fs, this.#transformerFor([]), inner)
      : new TransformDeriver(this.#transformerFor(recipients), recipients.length > 0);
    const partial = this.#parts.keepsOriginals ? { partial: true as const } : {};
    return { form: deriver.form, deriver, transform: () => this.#rules, ...partial };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { work } of this.#parts.transformers.values()) await work[Symbol.asyncDispose]();
  }

  #transformerFor(recipients: readonly Recipient[]): SegmentTransformer {
    const { hashKey, models, create, transformers } = this.#parts;
    const kind = recipients.length === 0 ? 'plain' : 'encrypted';
    let found = transformers.get(kind);
    if (!found) {
      const settings = { rules: this.#rules, hashKey, models, recipients };
      transformers.set(kind, (found = { work: create(settings), recipients }));
    }
    return found.work;
  }
}

function programOf({ process }: TransformRule): string {
  return JSON.stringify(process ?? null);
}

/** The answer to a change that cannot be made while sync runs. */
export function refused(value: string, allowed: string): HoldfastError {
  return new HoldfastError('STATE_REFUSED', `sync.transform is ${value}; allowed: ${allowed}`, {
    facts: { value, allowed },
  });
}

async function refuseVideos({ values, origin }: Resolved, faults: ConfigFault[]): Promise<void> {
  const path = 'sync.transform';
  const rule = values[path].find(({ image }) => image?.kind === 'h264');
  const lack = rule && (await ffmpegLacks());
  if (lack === undefined) return;
  const allowed = `no rule with h264, because ${lack}`;
  faults.push({ where: origin[path], path, value: rule?.text, allowed });
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
