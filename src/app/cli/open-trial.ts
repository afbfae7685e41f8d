import { HoldfastError } from '../../core/errors.js';
import type { RobotRegistry } from '../../ground/robot-registry.js';
import { isLoopback } from '../../monitors/http/request-checks.js';
import type { Route } from '../../monitors/http/route.js';
import type { Invocation } from './command-definition.js';
import { sharesDatabase } from './open-ground-registry.js';

/** The bundled fleet over HTTP. */
export interface OpenTrial extends AsyncDisposable {
  readonly routes: readonly Route[];
  /** Another certificate of the ground, as PEM: the vehicles trust it from now on. */
  readonly renew: (certificate: string) => void;
}

/**
 * Several processes share such a database, and each would enrol vehicles of the same names. Throws `REQUEST_INVALID`,
 * before anything is opened.
 */
export function refuseSharedTrial(invocation: Pick<Invocation, 'options'>): void {
  if (invocation.options['tryIt'] !== true || !sharesDatabase(invocation)) return;
  throw new HoldfastError(
    'REQUEST_INVALID',
    '--try-it plays its vehicles in one process, and --database postgres:// is for several, which would all enrol the ' +
      'same vehicles; allowed with --try-it: --database embedded (the default) or none',
  );
}

/**
 * The fleet may be played if only this machine reaches the ground, or if `--try-it` allows it, and never with a shared
 * database.
 *
 * @param place - Where the ground listens; the port is known later. `certificate`, as PEM: it has TLS.
 */
export async function openTrial(
  registry: RobotRegistry,
  place: {
    readonly address: string;
    readonly port: () => number;
    readonly certificate: string | undefined;
  },
  invocation: Invocation,
): Promise<OpenTrial> {
  const { options, logger } = invocation;
  const { trialRoutes } = await import('../../ground/trial-routes.js');
  const isPossible = !sharesDatabase(invocation);
  if (!isPossible || !(isLoopback(place.address) || options['tryIt'] === true))
    return {
      ...{ routes: trialRoutes(undefined), renew: () => undefined },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  const { TrialVehicles } = await import('./trial-vehicles.js');
  const host = ['0.0.0.0', '::'].includes(place.address) ? '127.0.0.1' : place.address;
  const vehicles = new TrialVehicles({ registry, ground: { host, port: place.port }, logger });
  if (place.certificate !== undefined) vehicles.trust(place.certificate);
  return {
    routes: trialRoutes(vehicles),
    renew: (certificate) => vehicles.trust(certificate),
    [Symbol.asyncDispose]: () => vehicles[Symbol.asyncDispose](),
  };
}
