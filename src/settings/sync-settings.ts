import { resolve as resolvePath } from 'node:path';
import { STORE_FORMS } from '../core/store-uri.js';
import type { StoreOptionTexts } from '../stores/option-reader.js';
import { s3OptionNames } from '../stores/s3/s3-options.js';
import { isBudgetTooSmall, type SyncOptions } from '../sync/sync-options.js';
import { CrossCheck } from './cross-check.js';
import { deepFreeze } from './deep-freeze.js';
import type { Resolved } from './resolve.js';
import { nameSinks, parseSink, type SinkFault, type SinkOptions } from './sink-spec.js';

/** Name of the sink of `store.uri`. */
export const STORE_SINK = 'store';

/** All options of the sync process; checked, with all defaults filled in, and frozen. */
export interface SyncSettings {
  /** The data folder's path. */
  readonly data: string;
  /** Further data folders. */
  readonly moreData: readonly string[];
  /** Empty: there are only sinks. */
  readonly storeUri: string;
  readonly sinks: readonly SinkOptions[];
  /** The given `s3.` parameters, for `openStore`; empty for other stores. */
  readonly s3: StoreOptionTexts;
  readonly options: SyncOptions;
}

/** Sync's settings from the resolved parameters. Throws `CONFIG_INVALID` with all faults. */
export function compileSyncSettings(resolved: Resolved): SyncSettings {
  const { values } = resolved;
  const check = new CrossCheck(resolved);
  if (values['store.uri'] === '' && values.sinks.length === 0) {
    check.missing('store.uri', `a store: --store ${STORE_FORMS}`);
  }
  const sinks: SinkOptions[] = [];
  for (const text of values.sinks) {
    const faults: SinkFault[] = [];
    const sink = parseSink(text, faults);
    if (sink) sinks.push(sink);
    for (const { value, allowed } of faults) check.fault('sinks', value, allowed);
  }
  const folders = [values.data, ...values.more_data].map((path) => resolvePath(path));
  for (const [index, path] of values.more_data.entries()) {
    if (folders.indexOf(folders[index + 1]!) <= index)
      check.fault('more_data', path, 'each data folder once');
  }
  checkBudgets(check, values, sinks);
  const settings: SyncSettings = {
    data: values.data,
    moreData: values.more_data,
    storeUri: values['store.uri'],
    sinks: nameSinks(sinks, values['store.uri'] === '' ? [] : [STORE_SINK]),
    s3: s3OptionTexts(resolved, values['store.uri']),
    options: {
      order: values['upload.order'],
      upload: values['sync.upload'],
      when: values['sync.when'],
      budgetBytesPerDay: values['sync.budget'],
      pass: values['sync.pass'],
      timeZone: values['sync.time_zone'],
      conditionPollMs: values['sync.condition_poll_ms'],
      topicMaxAgeMs: values['sync.topic_max_age_ms'],
      partBytes: values['upload.part_bytes'],
      partsInFlight: values['upload.parts_in_flight'],
      partsPerUpload: values['upload.parts_per_upload'],
      uploadsInFlight: values['upload.uploads_in_flight'],
      segmentsInFlight: values['upload.segments_in_flight'],
      bandwidthBytesPerS: values['upload.bandwidth_limit'],
      pollIntervalMs: values.poll_interval_ms,
      housekeepingIntervalMs: values.housekeeping_interval_ms,
      requestPollMs: values.request_poll_ms,
      scrubPerHour: values.scrub_per_hour,
      backoffFirstMs: check.atMost('link.backoff_first_ms', 'link.backoff_max_ms'),
      backoffMaxMs: values['link.backoff_max_ms'],
      backoffJitter: values['link.backoff_jitter'],
      idleProbeMs: values['link.idle_probe_ms'],
      callTimeoutMs: values['link.call_timeout_ms'],
      attemptsPerTurn: values['upload.attempts_per_turn'],
      refusedRounds: values['upload.refused_rounds'],
      maxRetries: values['upload.max_retries'],
      staleUploadAgeMs: values['upload.stale_age_ms'],
      createStoreId: values['store.create_id'],
      acceptNewStore: values['store.accept_new'],
      retryParked: values['upload.retry_parked'],
      acknowledgeLost: values['upload.acknowledge_lost'],
    },
  };
  check.done();
  return deepFreeze(settings);
}

/** A part that is larger than the budget of a whole day would have to exceed it. */
function checkBudgets(check: CrossCheck, values: Resolved['values'], sinks: readonly SinkOptions[]): void {
  const partBytes = values['upload.part_bytes'];
  const allowed = `0, or at least one part (upload.part_bytes: ${partBytes} bytes)`;
  if (isBudgetTooSmall(values['sync.budget'], partBytes)) {
    check.fault('sync.budget', values['sync.budget'], allowed);
  }
  for (const { name, budgetBytesPerDay = 0 } of sinks) {
    if (isBudgetTooSmall(budgetBytesPerDay, partBytes)) {
      check.fault('sinks', `${name}: budget=${budgetBytesPerDay}`, allowed);
    }
  }
}

/**
 * The given `s3.` parameters (the store has the defaults, which depend on each other). Empty for a store that
 * is not S3, so that one file can serve several stores.
 */
export function s3OptionTexts({ values, origin }: Resolved, uri: string): StoreOptionTexts {
  if (!/^s3:/i.test(uri)) return {};
  const texts: Record<string, string | number | boolean> = {};
  for (const option of s3OptionNames) {
    const name = `s3.${option}` as const;
    const value = values[name];
    if (origin[name] !== 'default' && value !== 'auto' && value !== '') texts[option] = value;
  }
  return texts;
}
