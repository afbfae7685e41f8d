import { describeError, HoldfastError } from '../../core/errors.js';
import { randomHex } from '../../core/identity.js';
import type { Fleet } from '../../ground/fleet.js';
import type { SharedFleet } from '../../ground/shared-fleet.js';
import type { NatsPlace } from '../../uplink/link/nats-place.js';
import type { Invocation } from './command-definition.js';
import { sharesDatabase } from './open-ground-registry.js';

/** The fleet of all processes on one bus, with this process's end for robots there. */
export interface SharedGround extends AsyncDisposable {
  readonly view: SharedFleet;
  /** Robots without a valid token. */
  readonly refused: () => number;
  /** For the log. */
  readonly where: { readonly bus: string; readonly worker: string };
}

/** Connects to the bus of `--bus`; undefined: without the option. Rejects with `GROUND_BUS_UNREACHABLE`. */
export async function shareFleet(fleet: Fleet, invocation: Invocation): Promise<SharedGround | undefined> {
  const place = await readPlace(invocation);
  if (place === undefined) return undefined;
  const { ports, logger } = invocation;
  const { GroundBus } = await import('../../ground/ground-bus.js');
  const { SharedFleet: Shared } = await import('../../ground/shared-fleet.js');
  const { NatsReception } = await import('../../uplink/link/nats-reception.js');
  const { clock } = ports;
  const worker = randomHex(ports.random, 4);
  const bus = await GroundBus.connect(place, worker, logger);
  const view = new Shared(fleet, { bus, clock, logger });
  const close = async (): Promise<void> => {
    view[Symbol.dispose]();
    await bus[Symbol.asyncDispose]();
  };
  try {
    const reception = await NatsReception.open(fleet, { nats: bus.nats, worker, clock, logger });
    return {
      view,
      refused: () => reception.refused,
      where: { bus: bus.address, worker },
      async [Symbol.asyncDispose]() {
        await reception[Symbol.asyncDispose]();
        await close();
      },
    };
  } catch (cause) {
    await close();
    const message = `the stream of the uplink at ${bus.address} cannot be used: ${describeError(cause)}`;
    throw new HoldfastError('GROUND_BUS_UNREACHABLE', message, { cause, facts: { address: bus.address } });
  }
}

/** Throws `REQUEST_INVALID`. */
async function readPlace(invocation: Invocation): Promise<NatsPlace | undefined> {
  const { options, ports } = invocation;
  const [url, credsFile] = [options['bus'], options['busCreds']];
  if (typeof url !== 'string') {
    if (credsFile === undefined) return undefined;
    throw new HoldfastError('REQUEST_INVALID', '--bus-creds is only for --bus');
  }
  if (!/^natss?:\/\/[^/@]+\/?$/.test(url) || !URL.canParse(url))
    throw new HoldfastError('REQUEST_INVALID', '--bus is not valid, allowed: nats(s)://host:port');
  if (!sharesDatabase(invocation)) {
    const message = '--bus needs a database that processes share, allowed: --database postgres://...';
    throw new HoldfastError('REQUEST_INVALID', message);
  }
  if (typeof credsFile !== 'string') return { url };
  try {
    return { url, creds: await ports.fs.readFile(credsFile) };
  } catch (cause) {
    const message = `--bus-creds ${credsFile} cannot be read: ${describeError(cause)}`;
    throw new HoldfastError('REQUEST_INVALID', message, { cause, facts: { path: credsFile } });
  }
}
