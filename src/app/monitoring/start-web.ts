import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type {
  MonitoredExports,
  MonitoredLog,
  MonitoredRecorder,
  MonitoredSync,
} from '../../core/monitoring.js';
import type { SystemPorts } from '../../host/ports.js';
import { packageRoot, version } from '../../host/version.js';
import type { AccessToken } from '../../monitors/http/access.js';
import type { HttpServer } from '../../monitors/http/http-server.js';
import type { LiveFeed } from '../../monitors/live/live-feed.js';
import type { Watch } from '../../monitors/live/watch.js';
import type { MonitoringOptions } from './monitoring-options.js';

/** What the dashboard and the HTTP API show and control. */
export interface WebParts extends Pick<SystemPorts, 'clock' | 'logger' | 'hostname'> {
  readonly recorder: MonitoredRecorder;
  readonly sync: MonitoredSync;
  readonly log: MonitoredLog;
  readonly watch: Watch;
  readonly exports: () => MonitoredExports;
  readonly foxgloveClients: () => number;
  /** The built page. Default: dist/web of the package. */
  readonly pageFolder?: string;
}

export interface WebServer {
  readonly server: HttpServer;
  /** Dispose it before the server. */
  readonly feed: LiveFeed;
}

/**
 * Starts the dashboard and the HTTP API. Its modules are loaded only now, because a recorder without a page does not
 * need them. Throws if the token file cannot be used or the port is taken.
 */
export async function startWeb(
  { web, metricsMaxTopics }: Pick<MonitoringOptions, 'web' | 'metricsMaxTopics'>,
  parts: WebParts,
): Promise<WebServer> {
  const { recorder, sync, log, watch, clock, logger, hostname } = parts;
  const [
    { Access, parseTokenFile },
    { HttpServer: Server },
    { readRoutes, recorderApi: api },
    { controlRoutes },
    { StaticFiles },
    { LiveFeed: Feed },
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
  const feed = new Feed(watch, recorder, log, { intervalMs: web.intervalMs });
  const top = new TopTopics(metricsMaxTopics);
  const started: { server?: HttpServer } = {};
  const clients = (): { web: number; foxglove: number } => ({
    web: started.server?.live.clients ?? 0,
    foxglove: parts.foxgloveClients(),
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
  const exports = parts.exports();
  const server = await Server.listen(
    { ...web, hostname, version, exports: exports.formats },
    {
      routes: [
        ...readRoutes({ watch, recorder, log, metrics, clients }),
        ...controlRoutes({ recorder, sync, log, exports }),
      ],
      ...{ api, access: new Access(tokens), feed },
      files: await StaticFiles.list(parts.pageFolder ?? join(packageRoot, 'dist', 'web')),
      clock,
      logger,
    },
  );
  started.server = server;
  return { server, feed };
}

async function readTokens(
  path: string,
  parse: (text: string) => AccessToken[],
  logger: Logger,
): Promise<readonly AccessToken[]> {
  try {
    if (((await stat(path)).mode & 0o077) !== 0) {
      logger.warn('users other than the owner can read the token file', { file: path });
    }
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`web.token_file ${path} cannot be used: ${describeError(error)}`, { cause: error });
  }
}
