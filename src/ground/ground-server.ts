import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import { HttpServer } from '../monitors/http/http-server.js';
import type { TlsFiles } from '../monitors/http/listener.js';
import type { Route } from '../monitors/http/route.js';
import { StaticFiles } from '../monitors/http/static-files.js';
import { UPLINK_PATH, WebSocketReception } from '../uplink/link/websocket-reception.js';
import type { FleetFeed } from './fleet-feed.js';
import type { FleetView } from './fleet-view.js';
import type { Fleet } from './fleet.js';
import type { GroundAccess } from './ground-access.js';
import type { HistoryStatus } from './history/history-writer.js';
import {
  renderGroundMetrics,
  renderHistoryMetrics,
  renderHoleMetrics,
  type HoleFigures,
} from './ground-metrics.js';
import { groundApi, groundRoutes } from './ground-routes.js';
import { originOf, type MapSource } from './map-source.js';

export interface GroundServerOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly hostname: string;
  /** Version of Holdfast. */
  readonly version: string;
  /** Absent: no TLS. */
  readonly tls?: TlsFiles;
  /** Absent: the map has its own outlines only. */
  readonly map?: MapSource;
  /** Folder of the pages. */
  readonly pageFolder: string;
}

export interface GroundServerParts {
  /** Of this process: it takes the robots that connect here, and `/metrics` is about them. */
  readonly fleet: Fleet;
  /** What people see. Default: the fleet of this process. */
  readonly view?: FleetView;
  /** Robots that were refused elsewhere than here. */
  readonly refused?: () => number;
  readonly feed: FleetFeed;
  readonly access: GroundAccess;
  /** Further operations of the API. */
  readonly routes?: readonly Route[];
  /** What is not there yet, in words. Default: nothing. */
  readonly missing?: () => string | undefined;
  /** What the history did; absent: nothing is kept. */
  readonly history?: () => HistoryStatus;
  /** Absent: holes are not filled in. */
  readonly holes?: () => HoleFigures;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Sockets of robots and people together. */
const SOCKETS_MAX = 2_500;
const PAGES_MAX = 200;

/** The ground's server: robots connect to `/uplink` with their token; pages and API answer people with theirs. */
export class GroundServer implements AsyncDisposable {
  readonly #http: HttpServer;
  readonly #reception: WebSocketReception;

  private constructor(http: HttpServer, reception: WebSocketReception) {
    this.#http = http;
    this.#reception = reception;
  }

  /** Listens; rejects with the system's error if the port is taken or the address is not of this machine. */
  static async listen(options: GroundServerOptions, parts: GroundServerParts): Promise<GroundServer> {
    const { fleet, view = fleet, refused = () => 0, history, holes } = parts;
    const { feed, access, routes = [], missing = () => undefined, clock, logger } = parts;
    const reception = new WebSocketReception(fleet, { clock, logger });
    const metrics = (): string =>
      renderGroundMetrics(fleet.robots()) +
      (history === undefined ? '' : renderHistoryMetrics(history())) +
      (holes === undefined ? '' : renderHoleMetrics(holes())) +
      refusedMetric(reception.refused + refused());
    const files = await StaticFiles.list(options.pageFolder);
    const { map } = options;
    const imageOrigins = map === undefined ? [] : [originOf(map.url) ?? ''];
    const limits = { tries: 1, maxClients: PAGES_MAX, maxSockets: SOCKETS_MAX };
    const http = await HttpServer.listen(
      { ...options, ...limits, imageOrigins, allowedHosts: [], anyHostWithToken: true, keepsAlive: true },
      {
        routes: [...groundRoutes({ fleet: view, metrics, missing, map }), ...routes],
        ...{ api: groundApi, access, feed, files, clock, logger },
        upgrade: {
          path: UPLINK_PATH,
          take: (request, socket, head) => void reception.upgrade(request, socket, head),
        },
      },
    );
    return new GroundServer(http, reception);
  }

  get port(): number {
    return this.#http.port;
  }

  get url(): string {
    return this.#http.url;
  }

  /** Uses another certificate for new connections. Throws if it is not valid. */
  renew(tls: TlsFiles): void {
    this.#http.renew(tls);
  }

  /** Ends every connection. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#reception[Symbol.dispose]();
    await this.#http[Symbol.asyncDispose]();
  }
}

function refusedMetric(refused: number): string {
  return (
    '# HELP holdfast_ground_refused_total Connections of robots without a valid token.\n' +
    `# TYPE holdfast_ground_refused_total counter\nholdfast_ground_refused_total ${refused}\n`
  );
}
