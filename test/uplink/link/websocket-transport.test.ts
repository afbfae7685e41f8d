import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { isHoldfastError } from '../../../src/core/errors.js';
import { eventually } from '../../../src/testing/waiting.js';
import { WebSocketConnection } from '../../../src/uplink/link/websocket-connection.js';
import { WebSocketTransport } from '../../../src/uplink/link/websocket-transport.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { SimulatedClock } from '../../support/simulated-clock.js';
import { End, transportContract } from './transport-contract.js';
import { startReception } from './websocket-world.js';

transportContract('the WebSocket', startReception);

const nobody = { admit: () => Promise.resolve('robot_7'), accept: () => new End() };

describe('The WebSocket of the uplink', () => {
  it('takes the usual path if the address has none, and another one if it has', () => {
    const address = (url: string): string => new WebSocketTransport(url, 't', systemClock).address;
    assert.equal(address('ws://ground:9000'), 'ws://ground:9000/uplink');
    assert.equal(address('wss://ground/fleet/uplink'), 'wss://ground/fleet/uplink');
  });

  it('answers other paths with 404', async () => {
    const ground = await startReception(nobody);
    const transport = new WebSocketTransport(`ws://127.0.0.1:${ground.port}/other`, 't', systemClock);
    const failed = transport.connect(new End(), new AbortController().signal);
    await assert.rejects(failed, (error) => isHoldfastError(error) && error.facts['statusCode'] === 404);
    await ground.stop();
  });

  it('ends a connection that sends text', async () => {
    const ground = await startReception(nobody);
    const headers = { authorization: 'Bearer t' };
    const socket = new WebSocket(`ws://127.0.0.1:${ground.port}/uplink`, [], { headers });
    await once(socket, 'open');
    socket.send('hello');
    const [, reason] = (await once(socket, 'close')) as [number, Buffer];
    assert.equal(String(reason), 'a text message, allowed: binary');
    await ground.stop();
  });

  it('ends a connection whose other end has been silent for three rounds', async () => {
    const ground = await startReception(nobody);
    const headers = { authorization: 'Bearer t' };
    const socket = new WebSocket(`ws://127.0.0.1:${ground.port}/uplink`, [], { headers, autoPong: false });
    const clock = new SimulatedClock();
    const end = new End();
    await once(socket, 'open');
    new WebSocketConnection(socket, clock).listen(end);
    // A cut line: the pongs of the other end do not come back.
    socket.removeAllListeners('pong');
    for (let round = 0; round < 3; round++) await clock.advance(10_000);
    assert.deepEqual(end.ends, []);
    clock.pass(10_000);
    await eventually(() => end.ends.length === 1, 'the end');
    assert.equal(clock.pending, 0, 'no timer is left');
    await ground.stop();
  });

  it('gives up a server that accepts and never answers after 3 s, and waits longer after each time', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const clock = new SimulatedClock();
    const transport = new WebSocketTransport(`ws://127.0.0.1:${port}`, 't', clock);
    for (const seconds of [3, 6, 12, 12]) {
      const connected = once(server, 'connection');
      const failed = assert.rejects(
        transport.connect(new End(), new AbortController().signal),
        (error) =>
          isHoldfastError(error, 'GROUND_UNREACHABLE') && error.facts['patienceMs'] === seconds * 1_000,
      );
      await connected;
      clock.pass(seconds * 1_000 - 1);
      assert.equal(clock.pending, 1, 'it still waits');
      clock.pass(1);
      await failed;
      assert.equal(clock.pending, 0, 'no timer is left');
    }
    server.close();
  });

  it('gives up a server that accepts and never answers, when the signal aborts', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const abort = new AbortController();
    const transport = new WebSocketTransport(`ws://127.0.0.1:${port}`, 't', systemClock);
    const connecting = transport.connect(new End(), abort.signal);
    await once(server, 'connection');
    abort.abort(new Error('stopped'));
    await assert.rejects(connecting, /stopped/);
    server.close();
  });
});
