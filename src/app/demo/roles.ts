import { HoldfastError } from '../../core/errors.js';
import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import { mainScript } from '../setup/main-script.js';
import { DemoChild } from './demo-child.js';
import type { DemoPlan } from './demo-plan.js';

/** Small parts and a slow link, so that a short demo has uploads to interrupt. */
const PART_BYTES = 256 * 1024;
const LINK_BYTES_PER_S = 6_000_000;

/** Recorder and sync of the demo, and their last status before they died. */
export class Roles {
  recorderKills = 0;
  syncKills = 0;
  /** Largest loss window that a recorder reported. */
  maxLossWindowMs = 0;
  /** The last report of the killed recorder. */
  statedBeforeKillMs = 0;
  #recorder: DemoChild | undefined;
  #sync: DemoChild | undefined;
  #lastSync: SyncStatus | undefined;
  #endedResent = 0;
  #endedResumed = 0;

  readonly #data: string;
  readonly #storeUri: string;
  readonly #plan: DemoPlan;

  constructor(data: string, storeUri: string, plan: DemoPlan) {
    this.#data = data;
    this.#storeUri = storeUri;
    this.#plan = plan;
  }

  startRecorder(source: string): void {
    this.#recorder = new DemoChild('recorder', mainScript, [
      ...['record', '--json', '--source', source, '--data', this.#data, '--log-level', 'warn'],
      ...['--segment-max-age-ms', `${this.#plan.segmentMaxAgeMs}ms`],
    ]);
  }

  startSync(): void {
    this.#sync = new DemoChild('sync', mainScript, this.#syncArguments());
  }

  /** Rejects with the output of a role that ends without being asked to. */
  assertRunning(): void {
    for (const child of [this.#recorder, this.#sync]) {
      if (child && !child.running && !child.isKilled) {
        throw new HoldfastError('INTERNAL', `the ${child.name} ended by itself: ${child.errorOutput}`);
      }
    }
  }

  /** Remembers the newest status of each; `undefined` without one. */
  note(recorder: RecorderStatus | undefined, sync: SyncStatus | undefined): void {
    if (recorder) this.maxLossWindowMs = Math.max(this.maxLossWindowMs, recorder.lossWindow.maxMs);
    if (sync) this.#lastSync = sync;
  }

  async killRecorder(): Promise<void> {
    this.recorderKills++;
    this.statedBeforeKillMs = this.maxLossWindowMs;
    await this.#recorder?.kill();
  }

  async killSync(): Promise<void> {
    this.syncKills++;
    await this.#sync?.kill();
    this.#countEndedSync();
  }

  /** The recorder ends by itself once the fleet has; resolves with its summary. */
  async recorderResult(): Promise<Record<string, unknown>> {
    const result = await (this.#recorder as DemoChild).result();
    this.maxLossWindowMs = Math.max(this.maxLossWindowMs, Number(result['maxLossWindowMs'] ?? 0));
    return result;
  }

  /** Lets sync end once everything is verified; resolves with its summary. */
  async drainSync(): Promise<Record<string, unknown>> {
    this.#sync?.terminate();
    await this.#sync?.exited;
    this.#countEndedSync();
    this.#sync = new DemoChild('sync', mainScript, [...this.#syncArguments(), '--drain']);
    const result = await this.#sync.result();
    this.#endedResent += (result['bytes'] as { resent?: number } | undefined)?.resent ?? 0;
    this.#endedResumed += Number(result['resumedUploads'] ?? 0);
    return result;
  }

  get bytesResent(): number {
    return this.#endedResent;
  }

  get resumedUploads(): number {
    return this.#endedResumed;
  }

  async killAll(): Promise<void> {
    await Promise.all([this.#recorder?.kill(), this.#sync?.kill()]);
  }

  #countEndedSync(): void {
    this.#endedResent += this.#lastSync?.bytes.resent ?? 0;
    this.#endedResumed += this.#lastSync?.resumedUploads ?? 0;
    this.#lastSync = undefined;
  }

  #syncArguments(): string[] {
    return [
      ...['sync', '--json', '--data', this.#data, '--store', this.#storeUri, '--log-level', 'warn'],
      ...['--part-bytes', String(PART_BYTES), '--bandwidth', `${LINK_BYTES_PER_S}B/s`],
      // A tunnel of seconds must be detected within one second.
      ...['--backoff-first', '500ms', '--backoff-max', '2s'],
    ];
  }
}
