import { randomBytes } from 'node:crypto';
import { defined } from '../../../src/core/defined.js';
import { silentLogger } from '../../../src/core/logger.js';
import { systemClock } from '../../../src/host/system-clock.js';
import type { TrustOptions } from '../../../src/uplink/link/ground-trust.js';
import { NatsReception } from '../../../src/uplink/link/nats-reception.js';
import { connectToNats } from '../../../src/uplink/link/nats-place.js';
import { NatsTransport } from '../../../src/uplink/link/nats-transport.js';
import type { GroundReception } from '../../../src/uplink/link/uplink-transport.js';
import type { NatsServer } from '../../support/nats.js';
import type { RunningReception } from './transport-contract.js';

/** A ground's end on a NATS server. */
export async function startNatsReception(
  server: NatsServer,
  ground: GroundReception,
  trust?: TrustOptions,
): Promise<RunningReception & { readonly reception: NatsReception; readonly worker: string }> {
  const url = `${trust === undefined ? 'nats' : 'natss'}://${server.address}`;
  const nats = await connectToNats({ url, ...defined({ trust }) }, 'test', { keeps: true });
  const worker = randomBytes(4).toString('hex');
  const ports = { nats, worker, clock: systemClock, logger: silentLogger };
  const reception = await NatsReception.open(ground, ports);
  return {
    ...{ reception, worker },
    transport: (token) => new NatsTransport(url, token, { clock: systemClock, random: randomBytes }),
    async stop() {
      await reception[Symbol.asyncDispose]();
      if (!nats.isClosed()) await nats.drain();
    },
  };
}
