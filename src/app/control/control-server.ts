import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { parseArguments } from '../../recorder/control-arguments.js';
import {
  CLIENT_IDLE_MS,
  CLIENTS_MAX,
  REQUEST_MAX_BYTES,
  UNREAD_MAX_BYTES,
  type ControlAnswer,
  type ControlHandlers,
  type ControlRole,
} from '../../recorder/control-protocol.js';
import { controlRequests, type ControlRequest } from '../../recorder/control-requests.js';
import { LineReader } from './line-reader.js';
import { ensurePrivateFolder, socketPaths } from './socket-path.js';

export interface ControlServer extends AsyncDisposable {
  /** Where it listens; `undefined` if no place was available. */
  readonly path: string | undefined;
}

/**
 * Answers requests for a role that holds its lock on the data folder. It never disturbs the role: without a
 * socket it logs a warning and does nothing, and the effect of any client is bounded.
 */
export async function listenForControl(
  dataRoot: string,
  role: ControlRole,
  handlers: ControlHandlers,
  logger: Logger,
): Promise<ControlServer> {
  const clients = new Set<Socket>();
  const server = createServer((socket) => serveClient(socket, clients, handlers));
  server.maxConnections = CLIENTS_MAX;
  server.unref();
  const path = await bindSomewhere(server, await socketPaths(dataRoot, role), logger);
  server.on('error', (error) => logger.warn('control socket failed', { error }));
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      if (path === undefined) return;
      // Closing also removes the socket's file.
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

async function bindSomewhere(server: Server, paths: string[], logger: Logger): Promise<string | undefined> {
  const reasons: string[] = [];
  for (const path of paths) {
    try {
      await ensurePrivateFolder(dirname(path));
      await bind(server, path);
      await chmod(path, 0o600);
      return path;
    } catch (error) {
      reasons.push(describeError(error));
    }
  }
  logger.warn('no control socket: status and control are not available', { reasons });
  return undefined;
}

async function bind(server: Server, path: string): Promise<void> {
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || (await isAnswered(path))) throw error;
    // Left behind by a killed process. The role's lock prevents that two processes do this at once.
    await rm(path, { force: true });
    await listen(server, path);
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function serveClient(socket: Socket, clients: Set<Socket>, handlers: ControlHandlers): void {
  const lines = new LineReader(REQUEST_MAX_BYTES);
  clients.add(socket);
  socket.unref();
  socket.setTimeout(CLIENT_IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => clients.delete(socket));
  socket.on('data', (chunk: Buffer) => {
    const complete = lines.push(chunk);
    if (complete === undefined) {
      socket.destroy();
      return;
    }
    for (const line of complete) {
      void answer(line, handlers).then((reply) => {
        if (socket.destroyed) return;
        socket.write(`${JSON.stringify(reply)}\n`);
        if (socket.writableLength > UNREAD_MAX_BYTES) socket.destroy();
      });
    }
  });
}

/** Never rejects. */
async function answer(line: string, handlers: ControlHandlers): Promise<ControlAnswer> {
  const { id, request, args } = parseRequest(line);
  const handler = request && (handlers[request] as ((args: unknown) => unknown) | undefined);
  if (!request || !handler) {
    const known = Object.keys(handlers).join(', ');
    const message = `${request ?? 'this'} is not a request here; known: ${known}`;
    return { id, ok: false, error: { code: 'REQUEST_UNSUPPORTED', message } };
  }
  try {
    return { id, ok: true, result: (await handler(parseArguments(request, args))) ?? null };
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : 'INTERNAL';
    return { id, ok: false, error: { code, message: describeError(error) } };
  }
}

function parseRequest(line: string): {
  id: number;
  request: ControlRequest | undefined;
  args?: unknown;
} {
  try {
    const { id, request, args } = JSON.parse(line) as { id?: unknown; request?: unknown; args?: unknown };
    return {
      args,
      id: typeof id === 'number' ? id : 0,
      request: controlRequests.find((known) => known === request),
    };
  } catch {
    return { id: 0, request: undefined };
  }
}
