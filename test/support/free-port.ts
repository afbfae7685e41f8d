import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that Linux gives to sockets that ask for none (32,768 and up): nobody else gets such a port before its
 * server starts, nor while it is down.
 */
const FIRST = 20_000;
const PORTS = 12_000;
/** Processes that run tests at the same time start in other places. */
const PER_PROCESS = 60;

let next = (process.pid * PER_PROCESS) % PORTS;

type Kind = 'tcp' | 'udp4' | 'udp6';

/** A port without a listener. Never the same twice, so that it stays free for the caller. */
export async function freePort(kind: Kind = 'tcp'): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST + next;
    next = (next + 1) % PORTS;
    if (await isFree(port, kind)) return port;
  }
  throw new Error(`no port from ${FIRST} to ${FIRST + PORTS - 1} is free`);
}

async function isFree(port: number, kind: Kind): Promise<boolean> {
  const open = async (): Promise<{ close(done: () => void): unknown }> => {
    if (kind === 'tcp') {
      const server = createServer().listen(port, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }
    const socket = createSocket(kind);
    socket.bind(port, kind === 'udp4' ? '127.0.0.1' : '::1');
    await once(socket, 'listening');
    return socket;
  };
  try {
    const held = await open();
    await new Promise<void>((resolve) => held.close(() => resolve()));
    return true;
  } catch {
    return false;
  }
}
