import { Server as TlsServer } from 'node:https';
import { Readable } from 'node:stream';
import type { AddressInfo, Socket } from 'node:net';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { defined } from '../../core/defined.js';
import type { Clock } from '../../core/clock.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { ErrorCode } from '../../core/error-catalogue.js';
import type { Logger } from '../../core/logger.js';
import { listenOnFreePort, type PortChoice } from '../listen-port.js';
import { bearerToken, mayDo, type AccessPolicy, type AccessRole, type Identity } from './access.js';
import { crossOriginHeaders, preflightHeaders } from './cross-origin.js';
import { FailedTokens } from './failed-tokens.js';
import { divertUpgrades, listenerOptions, type TlsFiles, type UpgradeTaker } from './listener.js';
import { LiveSockets, type PageFeed } from './live-sockets.js';
import { nothingHere } from './nothing-here.js';
import { openApiDocument, type ApiInfo } from './openapi.js';
import { isOurHost, isSameOrigin, pathOf, type HostPolicy } from './request-checks.js';
import { RouteReply, RouteStream, type Route, type RouteRequest } from './route.js';
import { headersWithImages } from './security-headers.js';
import type { StaticFiles } from './static-files.js';

export interface HttpServerOptions extends PortChoice {
  readonly address: string;
  readonly hostname: string;
  readonly allowedHosts: readonly string[];
  /** Live connections at once. */
  readonly maxClients: number;
  readonly version: string;
  /** Formats of `POST /control/export`; absent: exports are not available. */
  readonly exports?: readonly string[];
  /** Sockets of all kinds; further ones are closed at once. Default: 200. */
  readonly maxSockets?: number;
  /** Certificate and key as PEM; absent: no TLS. */
  readonly tls?: TlsFiles;
  /** A client with a valid token may use any name of this server. Default: false. */
  readonly anyHostWithToken?: boolean;
  /** Further origins of images on the page, such as map tiles. Default: none. */
  readonly imageOrigins?: readonly string[];
  /** Time without any byte in either direction, after which a connection is closed. Default: 60 s. */
  readonly idleMs?: number;
  /** An open port keeps the process alive. Default: false. */
  readonly keepsAlive?: boolean;
}

export interface HttpServerParts {
  readonly routes: readonly Route[];
  readonly api: ApiInfo;
  readonly access: AccessPolicy;
  readonly feed: PageFeed;
  readonly files: StaticFiles;
  readonly upgrade?: UpgradeTaker;
  readonly clock: Clock;
  readonly logger: Logger;
}

const BODY_MAX_BYTES = 16 * 1024;
const SOCKETS_MAX = 200;
/** For the whole request, so that slow senders are disconnected. */
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
const SOCKET_IDLE_MS = 60_000;
/** Pages connect here. */
const LIVE_PATH = '/live';

const statusOf: Readonly<Partial<Record<ErrorCode, number>>> = {
  CONFIG_INVALID: 400,
  REQUEST_INVALID: 400,
  STATE_REFUSED: 409,
  REQUEST_UNSUPPORTED: 501,
  ROLE_NOT_RUNNING: 503,
  GROUND_DATABASE_UNREACHABLE: 503,
  DISK_FULL: 507,
};

/** The body of an error answer. */
interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterS?: number;
}

/** The page, the API and the live state over HTTP. Everything it holds is bounded; see docs/http-api.md. */
export class HttpServer implements AsyncDisposable {
  readonly live: LiveSockets;
  port = 0;
  /** Number of refused requests since the start. */
  refused = 0;
  readonly #app: FastifyInstance;
  readonly #failed: FailedTokens;
  readonly #policy: HostPolicy;
  readonly #sockets = new Set<Socket>();
  /** Who sent a request with a valid token. */
  readonly #known = new WeakMap<FastifyRequest, Identity>();

  readonly #options: HttpServerOptions;
  readonly #parts: HttpServerParts;

  private constructor(options: HttpServerOptions, parts: HttpServerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#failed = new FailedTokens(parts.clock);
    this.#policy = options;
    this.live = new LiveSockets(
      parts.feed,
      parts.access,
      this.#failed,
      options.maxClients,
      parts.clock,
      options.exports,
    );
    this.#app = Fastify({
      logger: false,
      bodyLimit: BODY_MAX_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionTimeout: options.idleMs ?? SOCKET_IDLE_MS,
      forceCloseConnections: true,
      return503OnClosing: true,
      exposeHeadRoutes: false,
      ajv: { customOptions: { removeAdditional: false, coerceTypes: true, strictSchema: false } },
      ...listenerOptions(options.tls),
    });
  }

  /** Listens; rejects if no port is available (`EADDRINUSE`) or the address does not belong to this machine. */
  static async listen(options: HttpServerOptions, parts: HttpServerParts): Promise<HttpServer> {
    const server = new HttpServer(options, parts);
    await server.#prepare();
    try {
      await listenOnFreePort(options, (port) => server.#app.listen({ port, host: options.address }));
    } catch (error) {
      await server.#app.close();
      throw error;
    }
    server.port = (server.#app.server.address() as AddressInfo).port;
    if (options.keepsAlive !== true) server.#app.server.unref();
    return server;
  }

  /** The URL for a browser. */
  get url(): string {
    const { address, tls } = this.#options;
    return `${tls === undefined ? 'http' : 'https'}://${address.includes(':') ? `[${address}]` : address}:${this.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.live.closeAll();
    for (const socket of this.#sockets) socket.destroy();
    await this.#app.close();
  }

  /** Uses another certificate for new connections. Throws if it is not valid. */
  renew(tls: TlsFiles): void {
    const { server } = this.#app;
    if (server instanceof TlsServer) server.setSecureContext(tls);
  }

  async #prepare(): Promise<void> {
    const app = this.#app;
    const parts = this.#parts;
    app.server.maxConnections = this.#options.maxSockets ?? SOCKETS_MAX;
    app.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    app.server.on('drop', () => this.refused++);
    app.setErrorHandler((error, _, reply) => this.#fail(error, reply));
    app.setNotFoundHandler((request, reply) => this.#refuseUnknown(request, reply));
    const headers = headersWithImages(this.#options.imageOrigins ?? []);
    app.addHook('onRequest', async (request, reply) => {
      reply.headers(headers);
      if (mayCross(request)) reply.headers(crossOriginHeaders);
      const refusal = this.#checkOrigin(request) ?? (await this.#checkToken(request));
      if (refusal) return this.#refuse(reply, refusal);
    });
    // Only JSON is accepted, so a form on another site's page is refused.
    app.removeContentTypeParser('text/plain');
    await app.register(websocket, {
      options: { maxPayload: 4 * 1024, perMessageDeflate: false },
      errorHandler: (error, socket) => {
        parts.logger.debug('a WebSocket connection failed', { error });
        socket.terminate();
      },
    });
    const document = openApiDocument(parts.routes, this.#options.version, parts.api);
    this.#add({
      ...{ method: 'GET', path: parts.api.path, role: 'viewer', open: true },
      summary: 'This API as an OpenAPI document',
      answer: { type: 'object' },
      handle: () => document,
    });
    for (const route of parts.routes) this.#add(route);
    app.get(LIVE_PATH, { websocket: true, config: { role: 'live' } }, (socket, request) => {
      const token = bearerToken(request.headers.authorization);
      this.live.accept(socket, request.ip, this.#known.get(request)?.role, token);
    });
    app.get('/*', { config: { role: 'open' } }, (request, reply) => this.#serveFile(request, reply));
    await app.ready();
    if (parts.upgrade !== undefined) divertUpgrades(app.server, parts.upgrade, LIVE_PATH);
  }

  #add(route: Route): void {
    const { crossOrigin } = route;
    const config = { role: route.open ? 'open' : route.role, ...defined({ crossOrigin }) };
    if (crossOrigin) {
      this.#app.options(route.path, { config }, (_, reply) =>
        reply.headers(preflightHeaders).code(204).send(),
      );
    }
    this.#app.route({
      method: route.head ? ['GET', 'HEAD'] : route.method,
      url: route.path,
      config,
      schema: {
        ...defined({ body: route.body, querystring: route.query }),
      },
      handler: async (request, reply) => {
        const { body, query, params } = request as Partial<RouteRequest>;
        const who = this.#known.get(request) ?? this.#parts.access.anonymous;
        const input = { body: body ?? {}, query: query ?? {}, params: params ?? {} };
        const { range, 'if-range': ifRange } = request.headers as Record<string, string | undefined>;
        const asked = { who, address: request.ip, ...defined({ range, ifRange }) };
        const result = await route.handle({ ...input, ...asked });
        reply.header('cache-control', 'no-store');
        if (result instanceof RouteStream) {
          const { status, headers, content } = result;
          reply.code(status).headers(headers);
          return request.method === 'HEAD'
            ? reply.send()
            : reply.send(Readable.from(content, { objectMode: false }));
        }
        if (!(result instanceof RouteReply)) {
          return reply.type('application/json; charset=utf-8').send(JSON.stringify(result));
        }
        const { status, body: content, contentType } = result;
        return reply
          .code(status)
          .type(contentType)
          .send(typeof content === 'string' ? content : JSON.stringify(content));
      },
    });
  }

  #checkOrigin(request: FastifyRequest): Refusal | undefined {
    const { host, origin } = request.headers;
    const { anyHostWithToken = false } = this.#options;
    const isAnyHost = anyHostWithToken && this.#parts.access.needsToken;
    if (!isAnyHost && !isOurHost(host, this.#policy)) {
      const message = `this server does not answer as ${shown(host)}; web.allowed_hosts may name it`;
      return { status: 403, code: 'HOST_REFUSED', message };
    }
    if (mayCross(request) || isSameOrigin(origin, host)) return undefined;
    return { status: 403, code: 'ORIGIN_REFUSED', message: `pages of ${shown(origin)} may not ask` };
  }

  async #checkToken(request: FastifyRequest): Promise<Refusal | undefined> {
    const { access } = this.#parts;
    const needed = (request.routeOptions.config as { role?: AccessRole | 'open' | 'live' }).role ?? 'open';
    if (needed === 'open' || !access.needsToken) return undefined;
    const waitS = this.#failed.blockedForS(request.ip);
    if (waitS > 0) {
      const message = `too many wrong tokens from this address, try again in ${waitS} s`;
      return { status: 429, code: 'TOO_MANY_FAILURES', message, retryAfterS: waitS };
    }
    const header = request.headers.authorization;
    // A browser cannot send a header here: it sends its token in the first message instead.
    if (header === undefined && needed === 'live') return undefined;
    if (header === undefined) {
      return { status: 401, code: 'TOKEN_REQUIRED', message: 'send "Authorization: Bearer TOKEN"' };
    }
    const token = bearerToken(header);
    const known = token === undefined ? undefined : await access.identify(token);
    if (known === undefined) {
      this.#failed.note(request.ip);
      return { status: 401, code: 'TOKEN_WRONG', message: 'this token is not known' };
    }
    this.#known.set(request, known);
    if (needed === 'live' || mayDo(known.role, needed)) return undefined;
    const article = known.role === 'viewer' ? 'a' : 'an';
    const message = `${article} ${known.role} may not do this; an ${needed} may`;
    return { status: 403, code: `${needed.toUpperCase()}_REQUIRED`, message };
  }

  #serveFile(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const path = pathOf(request.url);
    const file = this.#parts.files.at(path);
    if (file === undefined) {
      if (path === '/')
        return reply
          .type('text/html; charset=utf-8')
          .header('cache-control', 'no-cache')
          .send(this.#parts.api.plainPage);
      reply.callNotFound();
      return reply;
    }
    reply
      .type(file.contentType)
      .header('etag', file.etag)
      .header('cache-control', file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache');
    if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
    return reply.header('content-length', file.bytes).send(file.open());
  }

  #refuseUnknown({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { routes, api, upgrade } = this.#parts;
    const pages = ['/', api.path].map((path) => ({ method: 'GET', path }) as const);
    const sockets = [LIVE_PATH, ...(upgrade === undefined ? [] : [upgrade.path])];
    const served = [...routes, ...pages, ...sockets.map((path) => ({ method: 'WebSocket', path }) as const)];
    const { headers, ...refusal } = nothingHere({ method, path: pathOf(url) }, served, api.path);
    return this.#refuse(reply.headers(headers), refusal);
  }

  #fail(error: unknown, reply: FastifyReply): FastifyReply {
    if (isHoldfastError(error)) {
      const status = statusOf[error.code] ?? 500;
      return this.#refuse(reply, { status, code: error.code, message: describeError(error) });
    }
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status < 500) {
      const code = status === 413 ? 'BODY_TOO_LARGE' : 'REQUEST_INVALID';
      return this.#refuse(reply, { status, code, message: describeError(error) });
    }
    this.#parts.logger.warn('a request failed', { error });
    return this.#refuse(reply, { status: 500, code: 'INTERNAL', message: 'see the log for details' });
  }

  #refuse(reply: FastifyReply, { status, code, message, retryAfterS }: Refusal): FastifyReply {
    this.refused++;
    if (retryAfterS !== undefined) reply.header('retry-after', retryAfterS);
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="holdfast"');
    return reply
      .code(status)
      .header('cache-control', 'no-store')
      .type('application/json; charset=utf-8')
      .send(JSON.stringify({ error: { code, message } }));
  }
}

function mayCross({ routeOptions: { config } }: FastifyRequest): boolean {
  return (config as { crossOrigin?: true } | undefined)?.crossOrigin === true;
}

/** The part of a header that a person needs. */
function shown(value: string | undefined): string {
  return value === undefined ? '(none)' : JSON.stringify(value.slice(0, 100));
}
