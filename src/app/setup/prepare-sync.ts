import { defined } from '../../core/defined.js';
import { describeError, isHoldfastError, type HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Recipient } from '../../encryption/wrapped-key.js';
import type { Logger } from '../../core/logger.js';
import type { SegmentDeriver } from '../../core/segment-deriver.js';
import { keepingRoom } from '../../core/space-limits.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { Store } from '../../core/store.js';
import { soleSink } from '../../sync/sync-sink.js';
import type { Sink } from '../../sync/sync-group.js';
import type { StoreOptionTexts } from '../../stores/option-reader.js';
import { s3OptionNames } from '../../stores/s3/s3-options.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';
import type { Resolved } from '../../settings/resolve.js';
import type { SinkOptions } from '../../settings/sink-spec.js';
import {
  compileSyncSettings,
  s3OptionTexts,
  STORE_SINK,
  type SyncSettings,
} from '../../settings/sync-settings.js';
import { storePorts } from '../../host/store-ports.js';
import type { SystemPorts } from '../../host/ports.js';
import type { DescriptorFolder } from '../../jobs/lake/descriptor-folder.js';
import { encryptedFor, readRecipients, refuseReadable } from './recipients.js';
import { refused, Transforms } from './transforms.js';
import { openConfiguredStore } from './open-configured-store.js';
import { openDelivery } from './open-delivery.js';

export interface SyncSetup extends AsyncDisposable {
  readonly settings: SyncSettings;
  /** Stores that were not contacted yet; the first is `store.uri`, if it is set. */
  readonly sinks: readonly [Sink, ...Sink[]];
  /** Changes the rules of `sync.transform` while sync runs. Throws `STATE_REFUSED` with the reason. */
  changeTransform(rules: readonly TransformRule[]): void;
}

/**
 * Sync's settings and its sinks. Faults of a store's URI are reported together with all others: throws
 * `CONFIG_INVALID`.
 */
export async function prepareSync(resolved: Resolved, ports: SystemPorts): Promise<SyncSetup> {
  const uri = resolved.values['store.uri'];
  const faults: ConfigFault[] = [...resolved.faults];
  const sinks: Sink[] = [];
  let transforms: Transforms | undefined;
  const dispose = async (): Promise<void> => {
    for (const { spec, store } of sinks) {
      await spec.deriver?.[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    }
    await transforms?.[Symbol.asyncDispose]();
  };
  const attempt = async (path: 'store.uri' | 'sinks', open: () => Promise<Sink>): Promise<void> => {
    try {
      sinks.push(await open());
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      const nested = nestedFaults(error);
      if (nested.length > 0) {
        faults.push(...nested.map((fault) => ({ ...fault, where: resolved.origin[path] })));
        return;
      }
      // The URI is not repeated: it may hold a secret, and the message says what is wrong with it.
      faults.push({ where: resolved.origin[path], path, value: undefined, allowed: describeError(error) });
    }
  };
  try {
    const recipients = await readRecipients(resolved, ports.fs, faults);
    transforms = await Transforms.open(resolved, ports, faults);
    if (uri !== '') {
      const changed = (await transforms?.sending(undefined, recipients)) ?? {};
      const spec = { ...soleSink, name: STORE_SINK, ...encryptedFor(recipients), ...changed };
      await attempt('store.uri', async () => ({
        spec,
        store: await openConfiguredStore(uri, resolved, ports),
      }));
    }
    const settings = compileSyncSettings({ ...resolved, faults });
    refuseReadable(settings.sinks, recipients, resolved, faults);
    for (const sink of settings.sinks) {
      const changes = sink.transform ? transforms : undefined;
      await attempt('sinks', () => openSink(sink, sink.encrypt ? recipients : [], changes, resolved, ports));
    }
    if (faults.length > 0) throw configInvalid(faults);
    refuseTwins(sinks, resolved);
    const [first, ...others] = sinks;
    if (!first) throw new Error('without a sink there was a fault');
    const changeTransform = (rules: readonly TransformRule[]): void => {
      if (!transforms)
        throw refused(`${rules.length} rules`, 'no rules, because sync began without any; start it again');
      transforms.change(rules);
    };
    return { settings, sinks: [first, ...others], changeTransform, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function openSink(
  sink: SinkOptions,
  recipients: readonly Recipient[],
  transforms: Transforms | undefined,
  resolved: Resolved,
  ports: SystemPorts,
): Promise<Sink> {
  const { name, kind, required, selection, upload, when, budgetBytesPerDay, pass } = sink;
  const delivery = await openDelivery(sink, resolved, ports);
  const deriver = delivery?.deriver ?? (await openDeriver(sink, ports));
  const store = delivery?.store ?? (await openSinkStore(sink, resolved, ports));
  const policy = defined({ upload, when, budgetBytesPerDay, pass });
  const spec = { name, kind, required, selection, ...policy, ...encryptedFor(recipients) };
  const plain = deriver ? { form: deriver.form, deriver } : { form: '' };
  const sent = (await transforms?.sending(deriver, recipients)) ?? plain;
  // A server that keeps no segments never counts as a copy of one.
  const partial = delivery ? { partial: true as const } : {};
  return { spec: { ...spec, ...sent, ...partial }, store };
}

/** Makes a sink's files out of segments; undefined if the segments are sent unchanged. */
async function openDeriver(
  { layout, encoding, descriptors: folder, selection: { topics } }: SinkOptions,
  { fs, logger }: SystemPorts,
): Promise<(SegmentDeriver & { readonly form: string }) | undefined> {
  if (layout) {
    const { ParquetDeriver } = await import('../../jobs/lake/parquet-deriver.js');
    const descriptors = folder === undefined ? undefined : await openDescriptors(folder, fs, logger);
    return new ParquetDeriver(keepingRoom(fs), { layout, ...defined({ topics, encoding, descriptors }) });
  }
  if (!topics) return undefined;
  const { TopicsDeriver } = await import('../../jobs/lake/topics-deriver.js');
  return new TopicsDeriver(keepingRoom(fs), topics);
}

async function openDescriptors(folder: string, fs: FileSystem, logger: Logger): Promise<DescriptorFolder> {
  const { DescriptorFolder } = await import('../../jobs/lake/descriptor-folder.js');
  const descriptors = new DescriptorFolder(fs, folder, logger);
  await descriptors.open();
  return descriptors;
}

/** The `s3.` parameters apply to all stores; a sink's own URI overrides them. */
async function openSinkStore(
  { storeUri }: SinkOptions,
  resolved: Resolved,
  ports: SystemPorts,
): Promise<Store> {
  const { openStore } = await import('../../stores/open-store.js');
  const said = new URLSearchParams(storeUri.slice(storeUri.indexOf('?') + 1));
  const texts: StoreOptionTexts = Object.fromEntries(
    Object.entries(s3OptionTexts(resolved, storeUri)).filter(
      ([option]) =>
        !(storeUri.includes('?') && s3OptionNames.some((one) => one === option) && said.has(option)),
    ),
  );
  return openStore(storeUri, texts, storePorts(ports));
}

/** Two sinks in one place would write the same keys. */
function refuseTwins(sinks: readonly Sink[], resolved: Resolved): void {
  const seen = new Map<string, string>();
  for (const { spec, store } of sinks) {
    // All MCAP sinks use the same keys, for any topics.
    const key = JSON.stringify([spec.kind === 'mcap' ? '' : spec.form, store.uri]);
    const twin = seen.get(key);
    if (twin !== undefined) {
      const allowed = `another store than that of the sink ${twin}`;
      throw configInvalid([{ where: resolved.origin.sinks, path: 'sinks', value: spec.name, allowed }]);
    }
    seen.set(key, spec.name);
  }
}

/** The faults that an error lists one by one, as for a folder of descriptors; the URI of a store lists texts. */
function nestedFaults({ facts }: HoldfastError): readonly ConfigFault[] {
  const faults = (facts['faults'] ?? []) as readonly (ConfigFault | string)[];
  return faults.filter((fault): fault is ConfigFault => typeof fault !== 'string');
}
