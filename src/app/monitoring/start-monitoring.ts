import { dataFolder } from '../../core/data-folder.js';
import type {
  MonitoredExports,
  MonitoredLog,
  MonitoredParameters,
  MonitoredRecorder,
  MonitoredSync,
} from '../../core/monitoring.js';
import { alertRules } from '../../monitors/alerts/alert-rules.js';
import { describeParquet, describeSchemaChanges } from '../../monitors/alerts/parquet-watch.js';
import { Webhook } from '../../monitors/alerts/webhook.js';
import type { FoxgloveLive } from '../../monitors/foxglove/live-server.js';
import type { HttpServer } from '../../monitors/http/http-server.js';
import { Watch } from '../../monitors/live/watch.js';
import type { SystemPorts } from '../../host/ports.js';
import { BackgroundExports } from './background-exports.js';
import type { MonitoringOptions } from './monitoring-options.js';
import { remoteSync } from './remote-sync.js';
import { SegmentTimeline } from './segment-timeline.js';
import { startWeb } from './start-web.js';
import { systemUsageMeter } from './system-usage.js';

export interface MonitoringPorts extends SystemPorts {
  /** The process's log, if it can be watched. */
  readonly log?: MonitoredLog;
  /** Default: the sync process of the data folder. */
  readonly sync?: MonitoredSync;
  /** Absent: the ground can set none. */
  readonly parameters?: MonitoredParameters;
  /** Default: exports of the data folder, each in its own process. */
  readonly exports?: MonitoredExports;
  /** The built page. Default: dist/web of the package. */
  readonly pageFolder?: string;
}

/** Everything that watches one recorder. */
export interface Monitoring extends AsyncDisposable {
  readonly watch: Watch;
  /** Resolves once each server listens or has logged why it cannot; never rejects. */
  readonly ready: Promise<void>;
  /** Where the servers listen, once {@link ready}; absent: not at all. */
  readonly webUrl: string | undefined;
  readonly foxgloveUrl: string | undefined;
}

/**
 * Starts everything that watches and controls the recorder of this process: the page, the API, metrics,
 * Foxglove, alerts. It returns at once. The servers start while the recording runs, and a server that cannot
 * start is a warning. Nothing here ever ends or slows the recorder.
 */
export function startMonitoring(
  recorder: MonitoredRecorder,
  options: MonitoringOptions,
  ports: MonitoringPorts,
): Monitoring {
  return new RunningMonitoring(recorder, options, ports);
}

class RunningMonitoring implements Monitoring {
  readonly watch: Watch;
  readonly ready: Promise<void>;
  readonly #sync: MonitoredSync;
  readonly #log: MonitoredLog;
  readonly #webhook: Webhook | undefined;
  readonly #unlisten: () => void;
  #web: HttpServer | undefined;
  #foxglove: FoxgloveLive | undefined;
  readonly #closers: (() => Promise<void> | void)[] = [];

  readonly #recorder: MonitoredRecorder;
  readonly #options: MonitoringOptions;
  readonly #ports: MonitoringPorts;

  constructor(recorder: MonitoredRecorder, options: MonitoringOptions, ports: MonitoringPorts) {
    this.#recorder = recorder;
    this.#options = options;
    this.#ports = ports;
    const { fs, clock, logger, hostname } = ports;
    this.#sync = ports.sync ?? remoteSync(options.data);
    this.#log = ports.log ?? noLog;
    const segments = new SegmentTimeline({
      fs,
      folder: dataFolder(options.data),
      open: () => {
        const { openSegment, openBytes } = recorder.status().wal;
        return openSegment === undefined ? undefined : { id: openSegment, bytes: openBytes };
      },
    });
    this.#unlisten = recorder.onEvent((event) => segments.note(event));
    this.watch = new Watch({
      recorder,
      sync: this.#sync,
      segments,
      system: systemUsageMeter(),
      log: this.#log,
      clock,
      logger,
      host: hostname,
      rules: alertRules(options.alerts),
    });
    this.#webhook =
      options.webhook === '' ? undefined : new Webhook(options.webhook, { clock, logger, fetch });
    this.#tellWebhook();
    this.#tellSources();
    this.watch.start();
    this.ready = this.#startServers();
  }

  get webUrl(): string | undefined {
    return this.#web?.url;
  }

  get foxgloveUrl(): string | undefined {
    return this.#foxglove?.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ready;
    this.#unlisten();
    this.watch[Symbol.dispose]();
    for (const close of [
      ...this.#closers,
      () => this.#web?.[Symbol.asyncDispose](),
      () => this.#foxglove?.[Symbol.asyncDispose](),
      () => this.#webhook?.[Symbol.asyncDispose](),
    ]) {
      try {
        await close();
      } catch (error) {
        this.#ports.logger.warn('a monitor could not be closed', { error });
      }
    }
  }

  #backgroundExports(): MonitoredExports {
    const { fs, clock, logger } = this.#ports;
    const exports = new BackgroundExports({
      data: this.#options.data,
      fs,
      clock,
      logger,
      status: () => this.#recorder.status(),
    });
    this.#closers.push(() => exports[Symbol.asyncDispose]());
    return exports;
  }

  #tellWebhook(): void {
    const { watch } = this;
    const webhook = this.#webhook;
    const recorder = this.#recorder;
    const ports = this.#ports;
    if (webhook === undefined) return;
    watch.services.set('webhook', () => webhook.stats());
    watch.onAlert((alert) =>
      webhook.tell({
        source: 'holdfast',
        host: ports.hostname,
        robots: recorder.status().robots.map(({ robot }) => robot),
        alert,
      }),
    );
  }

  /** Alerts for readers of a lake go to the sources' alert subjects (NATS). */
  #tellSources(): void {
    this.watch.onAlert(({ id, raised }) => {
      if (id === 'parquet_schema_changed' && raised) {
        this.#recorder.alertSources?.({ kind: id, detail: describeSchemaChanges(this.watch.sync) });
      }
      if (id !== 'parquet_failed') return;
      const kind = raised ? 'parquet_failed' : 'parquet_recovered';
      this.#recorder.alertSources?.({ kind, detail: describeParquet(this.watch.sync) });
    });
  }

  /** A failure is a warning: recording never depends on the ground. */
  async #startUplink(): Promise<void> {
    const { ground } = this.#options;
    if (ground.url === '') return;
    try {
      const { startUplink } = await import('./start-uplink.js');
      const uplink = await startUplink(this.#recorder, this.#sync, this.watch, ground, this.#ports);
      this.#closers.push(async () => await uplink[Symbol.asyncDispose]());
      this.watch.services.set('uplink', () => ({ robots: uplink.status() }));
    } catch (error) {
      this.#ports.logger.warn('the uplink to the ground cannot start; recording continues', {
        url: ground.url,
        error,
      });
    }
  }

  /** One after the other, separately: a failure is logged and does not affect the others. */
  async #startServers(): Promise<void> {
    const { logger } = this.#ports;
    const { web, foxglove } = this.#options;
    await this.#startUplink();
    if (foxglove.enabled) {
      await this.#startFoxglove().catch((error: unknown) =>
        logger.warn('the live server for Foxglove cannot start; recording continues', {
          address: foxglove.address,
          port: foxglove.port,
          tries: foxglove.tries,
          error,
        }),
      );
    }
    if (web.enabled) {
      await this.#startWeb().catch((error: unknown) =>
        logger.warn('the dashboard and the HTTP API cannot start; recording continues', {
          address: web.address,
          port: web.port,
          tries: web.tries,
          error,
        }),
      );
    }
  }

  async #startFoxglove(): Promise<void> {
    const { foxglove: options, web } = this.#options;
    const { clock, logger, hostname } = this.#ports;
    const { FoxgloveLive } = await import('../../monitors/foxglove/live-server.js');
    const live = await FoxgloveLive.listen(
      {
        ...options,
        avoid: new Set(options.avoid),
        allowedHosts: web.allowedHosts,
        hostname,
        name: `Holdfast on ${hostname}`,
      },
      { recorder: this.#recorder, watch: this.watch, log: this.#log, clock, logger },
    );
    this.#foxglove = live;
    this.watch.services.set('foxglove', () => ({
      url: live.url,
      clients: live.clientCount,
      skipped: live.skipped,
      dropped: live.dropped,
    }));
    logger.info('the live server for Foxglove is listening', { url: live.url });
  }

  async #startWeb(): Promise<void> {
    const { watch } = this;
    const { server, feed } = await startWeb(this.#options, {
      ...this.#ports,
      recorder: this.#recorder,
      sync: this.#sync,
      log: this.#log,
      watch,
      exports: () => this.#ports.exports ?? this.#backgroundExports(),
      foxgloveClients: () => this.#foxglove?.clientCount ?? 0,
    });
    this.#web = server;
    this.#closers.push(() => feed[Symbol.dispose]());
    watch.services.set('web', () => ({
      url: server.url,
      clients: server.live.clients,
      refused: server.refused,
      skippedUpdates: feed.skipped,
      droppedClients: feed.dropped,
    }));
    this.#ports.logger.info('dashboard', { url: server.url });
  }
}

/** For a process without a log that can be watched. */
const noLog: MonitoredLog = {
  stats: () => ({
    level: 'info',
    listenerRunning: false,
    fileBytes: 0,
    queuedLines: 0,
    queuedBytes: 0,
    queueMaxLines: 0,
    queueMaxBytes: 0,
    writtenLines: 0,
    droppedLines: 0,
    rotations: 0,
  }),
  setLevel() {},
  recent: () => [],
  lastNumber: 0,
};
