import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '../../../src/core/logger.js';
import { systemClock } from '../../../src/host/system-clock.js';
import type { TlsFiles } from '../../../src/monitors/http/listener.js';
import type { GroundReception } from '../../../src/uplink/link/uplink-transport.js';
import { WebSocketReception } from '../../../src/uplink/link/websocket-reception.js';
import { WebSocketTransport } from '../../../src/uplink/link/websocket-transport.js';
import type { RunningReception } from './transport-contract.js';

/** A ground's WebSocket end on a free port of this machine, with a certificate or without TLS. */
export async function startReception(
  ground: GroundReception,
  tls?: TlsFiles,
): Promise<RunningReception & { readonly port: number; readonly reception: WebSocketReception }> {
  const reception = new WebSocketReception(ground, { clock: systemClock, logger: silentLogger });
  const answer: RequestListener = (_request, response) => response.writeHead(404).end();
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  server.on('upgrade', (request, socket, head) => void reception.upgrade(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let isStopped = false;
  return {
    port,
    reception,
    transport: (token) => new WebSocketTransport(`ws://127.0.0.1:${port}`, token, systemClock),
    stop: async () => {
      if (isStopped) return;
      isStopped = true;
      reception[Symbol.dispose]();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
