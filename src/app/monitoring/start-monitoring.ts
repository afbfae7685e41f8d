import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dataFolder } from '../../core/data-folder.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type {
  MonitoredExports,
  MonitoredLog,
  MonitoredRecorder,
  MonitoredSync,
} from '../../core/monitoring.js';
import { alertRules } from '../../monitors/alerts/alert-rules.js';
import { Webhook } from '../../monitors/alerts/webhook.js';
import type { FoxgloveLive } from '../../monitors/foxglove/live-server.js';
import type { AccessToken } from '../../monitors/http/access.js';
import type { HttpServer } from '../../monitors/http/http-server.js';
import { Watch } from '../../monitors/live/watch.js';
import type { SystemPorts } from '../system/ports.js';
import { packageRoot, version } from '../system/version.js';
import { BackgroundExports } from './background-exports.js';
import type { MonitoringOptions } from './monitoring-options.js';
import { remoteSync } from './remote-sync.js';
import { SegmentTimeline } from './segment-timeline.js';
import { systemUsageMeter } from './system-usage.js';

export interface MonitoringPorts extends SystemPorts {
  /** The process's log, where it can be watched. */
  readonly log?: MonitoredLog;
  /** Default: the sync process of the data folder. */
  readonly sync?: MonitoredSync;
  /** Default: exports of the data folder, each by a process of its own. */
  readonly exports?: MonitoredExports;
  /** The built page. Default: dist/web of the package. */
  readonly pageFolder?: string;
}

/** Everything that watches one recorder. */
export interface Monitoring extends AsyncDisposable {
  readonly watch: Watch;
  /** Resolves once each server listens or has said why not; never rejects. */
  readonly ready: Promise<void>;
  /** Where the servers are found, once {@link ready}; absent: not at all. */
  readonly webUrl: string | undefined;
  readonly foxgloveUrl: string | undefined;
}

/**
 * Starts everything that watches and steers the recorder of this process: the page, the API, metrics,
 * Foxglove, alerts. Returns at once; the servers come up beside the recording, and what cannot come up is a
 * warning. Nothing here ever ends or slows the recorder.
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
  private readonly sync: MonitoredSync;
  private readonly log: MonitoredLog;
  private readonly webhook: Webhook | undefined;
  private readonly unlisten: () => void;
  private web: HttpServer | undefined;
  private foxglove: FoxgloveLive | undefined;
  private readonly closers: (() => Promise<void> | void)[] = [];

  constructor(
    private readonly recorder: MonitoredRecorder,
    private readonly options: MonitoringOptions,
    private readonly ports: MonitoringPorts,
  ) {
    const { fs, clock, logger, hostname } = ports;
    this.sync = ports.sync ?? remoteSync(options.data);
    this.log = ports.log ?? noLog;
    const segments = new SegmentTimeline({
      fs,
      folder: dataFolder(options.data),
      open: () => {
        const { openSegment, openBytes } = recorder.status().wal;
        return openSegment === undefined ? undefined : { id: openSegment, bytes: openBytes };
      },
    });
    this.unlisten = recorder.onEvent((event) => segments.note(event));
    this.watch = new Watch({
      recorder,
      sync: this.sync,
      segments,
      system: systemUsageMeter(),
      log: this.log,
      clock,
      logger,
      host: hostname,
      rules: alertRules(options.alerts),
    });
    this.webhook =
      options.webhook === '' ? undefined : new Webhook(options.webhook, { clock, logger, fetch });
    this.tellWebhook();
    this.watch.start();
    this.ready = this.startServers();
  }

  get webUrl(): string | undefined {
    return this.web?.url;
  }

  get foxgloveUrl(): string | undefined {
    return this.foxglove?.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ready;
    this.unlisten();
    this.watch[Symbol.dispose]();
    for (const close of [
      ...this.closers,
      () => this.web?.[Symbol.asyncDispose](),
      () => this.foxglove?.[Symbol.asyncDispose](),
      () => this.webhook?.[Symbol.asyncDispose](),
    ]) {
      try {
        await close();
      } catch (error) {
        this.ports.logger.warn('a monitor could not be closed', { error });
      }
    }
  }

  private backgroundExports(): MonitoredExports {
    const { clock, logger } = this.ports;
    const exports = new BackgroundExports({
      data: this.options.data,
      clock,
      logger,
      status: () => this.recorder.status(),
    });
    this.closers.push(() => exports[Symbol.asyncDispose]());
    return exports;
  }

  private tellWebhook(): void {
    const { webhook, recorder, watch, ports } = this;
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

  /** One after the other, each on its own: what fails in one is said and leaves the other alone. */
  private async startServers(): Promise<void> {
    const { logger } = this.ports;
    const { web, foxglove } = this.options;
    if (foxglove.enabled) {
      await this.startFoxglove().catch((error: unknown) =>
        logger.warn('no live server for Foxglove; recording goes on', {
          address: foxglove.address,
          port: foxglove.port,
          tries: foxglove.tries,
          error,
        }),
      );
    }
    if (web.enabled) {
      await this.startWeb().catch((error: unknown) =>
        logger.warn('no dashboard and no HTTP API; recording goes on', {
          address: web.address,
          port: web.port,
          tries: web.tries,
          error,
        }),
      );
    }
  }

  private async startFoxglove(): Promise<void> {
    const { foxglove: options, web } = this.options;
    const { clock, logger, hostname } = this.ports;
    const { FoxgloveLive } = await import('../../monitors/foxglove/live-server.js');
    const live = await FoxgloveLive.listen(
      {
        ...options,
        avoid: new Set(options.avoid),
        allowedHosts: web.allowedHosts,
        hostname,
        name: `Holdfast on ${hostname}`,
      },
      { recorder: this.recorder, watch: this.watch, log: this.log, clock, logger },
    );
    this.foxglove = live;
    this.watch.services.set('foxglove', () => ({
      url: live.url,
      clients: live.clientCount,
      skipped: live.skipped,
      dropped: live.dropped,
    }));
    logger.info('Foxglove can connect', { url: live.url });
  }

  private async startWeb(): Promise<void> {
    const { web, metricsMaxTopics } = this.options;
    const { clock, logger, hostname } = this.ports;
    const { recorder, watch, log, sync } = this;
    const [
      { Access, parseTokenFile },
      { HttpServer: Server },
      { readRoutes },
      { controlRoutes },
      { StaticFiles },
      { LiveFeed },
      { renderMetrics },
      { TopTopics },
    ] = await Promise.all([
      import('../../monitors/http/access.js'),
      import('../../monitors/http/http-server.js'),
      import('../../monitors/http/read-routes.js'),
      import('../../monitors/http/control-routes.js'),
      import('../../monitors/http/static-files.js'),
      import('../../monitors/live/live-feed.js'),
      import('../../monitors/metrics/prometheus.js'),
      import('../../monitors/metrics/top-topics.js'),
    ]);
    const tokens = web.tokenFile === '' ? [] : await readTokens(web.tokenFile, parseTokenFile, logger);
    const feed = new LiveFeed(watch, recorder, log, { intervalMs: web.intervalMs });
    const top = new TopTopics(metricsMaxTopics);
    const clients = (): { web: number; foxglove: number } => ({
      web: this.web?.live.clients ?? 0,
      foxglove: this.foxglove?.clientCount ?? 0,
    });
    const metrics = (): ReturnType<typeof renderMetrics> => {
      const { user, system } = process.cpuUsage();
      return renderMetrics({
        status: watch.status(),
        topics: top.pick(recorder.topics()),
        quarantined: watch.timeline.quarantined,
        clients: clients(),
        cpuSeconds: (user + system) / 1e6,
      });
    };
    const exports = this.ports.exports ?? this.backgroundExports();
    const server = await Server.listen(
      { ...web, hostname, version, exports: true },
      {
        routes: [
          ...readRoutes({ watch, recorder, log, metrics, clients }),
          ...controlRoutes({ recorder, sync, log, exports }),
        ],
        access: new Access(tokens),
        feed,
        files: await StaticFiles.list(this.ports.pageFolder ?? join(packageRoot, 'dist', 'web')),
        clock,
        logger,
      },
    );
    this.web = server;
    this.closers.push(() => feed[Symbol.dispose]());
    watch.services.set('web', () => ({
      url: server.url,
      clients: server.live.clients,
      refused: server.refused,
      skippedUpdates: feed.skipped,
      droppedClients: feed.dropped,
    }));
    logger.info('dashboard', { url: server.url });
  }
}

async function readTokens(
  path: string,
  parse: (text: string) => AccessToken[],
  logger: Logger,
): Promise<readonly AccessToken[]> {
  try {
    if (((await stat(path)).mode & 0o077) !== 0) {
      logger.warn('others than the owner can read the token file', { file: path });
    }
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`web.token_file ${path} cannot be used: ${describeError(error)}`, { cause: error });
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
    queueMaxBytes: 0,
    writtenLines: 0,
    droppedLines: 0,
    rotations: 0,
  }),
  setLevel() {},
  recent: () => [],
  lastNumber: 0,
};
